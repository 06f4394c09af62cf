"""Where services ask before they load a model. Open: what is granted is what the service itself reports."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from gateway.parts import Parts


class Asked(BaseModel):
    """Body of `POST /api/memory`."""

    service: Literal["chat", "image-gen", "vision", "translate", "tts", "rag"]
    wish: str = Field(min_length=16, max_length=64, pattern=r"^[0-9a-f]+$")
    """The id of a wish in the service's `/readyz`."""


def router(parts: Parts) -> APIRouter:
    """Make the route."""
    routes = APIRouter(prefix="/api", tags=["memory"])

    @routes.post("/memory")
    async def ask(asked: Asked) -> dict[str, bool]:
        """Grant a load that a service reports to wait for, or refuse it with what holds the memory."""
        await parts.memory.grant(asked.service, asked.wish)
        return {"granted": True}

    return routes
