"""The models of all services as one list. Load, unload and removal are forwarded by the edge."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from gateway.parts import Parts
from servicekit.auth import Identity, identity_of


class Install(BaseModel):
    """The id of a model in the catalogue."""

    id: str = Field(min_length=1, max_length=200)


def router(parts: Parts) -> APIRouter:
    """Make the routes of `/v1/models` and `/v1/catalogue`."""
    routes = APIRouter(prefix="/v1", tags=["models"])

    @routes.get("/models")
    async def list_models(caller: Identity = Depends(identity_of)) -> dict[str, Any]:
        """List the installed models of all services."""
        return {"object": "list", "data": await parts.catalogue.models(caller.token)}

    @routes.get("/catalogue")
    async def list_catalogue(caller: Identity = Depends(identity_of)) -> dict[str, Any]:
        """List the public models that the services can run."""
        return {"object": "list", "data": await parts.catalogue.public_models(caller.token)}

    @routes.post("/models/install")
    async def install(asked: Install, caller: Identity = Depends(identity_of)) -> Any:
        """Let the service whose catalogue names the model install it."""
        service = await parts.catalogue.service_of(asked.id, caller.token)
        return await parts.calls.json(
            service, "POST", "/v1/models/install", token=caller.token, timeout_s=30, json={"id": asked.id}
        )

    @routes.get("/models/{model_id:path}")
    async def get_model(model_id: str, caller: Identity = Depends(identity_of)) -> dict[str, Any]:
        """Describe one model or alias."""
        return await parts.catalogue.model(model_id, caller.token)

    return routes
