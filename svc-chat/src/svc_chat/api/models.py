"""`/v1/models` and `/v1/catalogue`: the models of all engines in one list."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from typing import Annotated

from fastapi import APIRouter, Depends

from servicekit.auth import Identity, identity_of
from servicekit.models import Catalogue, InstalledModel, Loadable, ServiceModels
from servicekit.models import router as model_routes
from svc_chat.domain.service import ChatService

_caller: ContextVar[Identity] = ContextVar("caller of /v1/models")


def router(
    service: ChatService,
    handles: Callable[[], Mapping[str, Loadable]],
    aliases: Mapping[str, str],
    default: str,
    catalogue: Catalogue,
    installing: APIRouter,
    unlisted: Callable[[], Sequence[InstalledModel]],
) -> APIRouter:
    """Return the routes of models; `handles` gives those that are loaded and freed here, `installing` brings more.

    `unlisted` can be looked at and freed by name, and are in no list.
    """

    async def current() -> ServiceModels:
        entries = await service.models(_caller.get().user_id)
        return ServiceModels(
            "svc-chat",
            entries,
            default=default or None,
            aliases=aliases,
            slots=handles(),
            catalogue=catalogue,
            unlisted=unlisted(),
        )

    routes = APIRouter(dependencies=[Depends(_remember)])
    routes.include_router(model_routes(current, installing))
    return routes


async def _remember(caller: Annotated[Identity, Depends(identity_of)]) -> None:
    """Keep who calls for `current`: models that were trained are shown to their owner alone."""
    _caller.set(caller)
