"""`/v1/models` and `/v1/catalogue`: the models of all engines in one list."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from fastapi import APIRouter

from servicekit.models import Catalogue, Loadable, ServiceModels
from servicekit.models import router as model_routes
from svc_chat.domain.service import ChatService


def router(
    service: ChatService,
    handles: Callable[[], Mapping[str, Loadable]],
    aliases: Mapping[str, str],
    default: str,
    catalogue: Catalogue,
    installing: APIRouter,
) -> APIRouter:
    """Return the routes of models; `handles` gives those that are loaded and freed here, `installing` brings more."""

    async def current() -> ServiceModels:
        entries = await service.engine.models()
        return ServiceModels(
            "svc-chat",
            entries,
            default=default or None,
            aliases=aliases,
            slots=handles(),
            catalogue=catalogue,
        )

    return model_routes(current, installing)
