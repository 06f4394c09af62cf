"""`/v1/models` and `/v1/catalogue`: the models of all engines in one list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter

from servicekit.models import Catalogue, ModelSlot, ServiceModels
from servicekit.models import router as model_routes
from svc_chat.domain.service import ChatService


def router(
    service: ChatService,
    slots: Mapping[str, ModelSlot[Any]],
    aliases: Mapping[str, str],
    default: str,
    catalogue: Catalogue,
) -> APIRouter:
    """Return the routes of models."""

    async def current() -> ServiceModels:
        entries = await service.engine.models()
        return ServiceModels(
            "svc-chat",
            entries,
            default=default or None,
            aliases=aliases,
            slots={entry.id: slots[entry.id] for entry in entries if entry.id in slots},
            catalogue=catalogue,
        )

    return model_routes(current)
