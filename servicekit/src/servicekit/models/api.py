"""HTTP routes for models: list, catalogue, load, unload; installing and removing are in `servicekit.hub`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query, Request, Response

from servicekit.errors import NotImplementedYet
from servicekit.models.registry import ServiceModels
from servicekit.models.search import CatalogueQuery


def router(
    source: ServiceModels | Callable[[], Awaitable[ServiceModels]], installing: APIRouter | None = None
) -> APIRouter:
    """Make the routes of one service. Model ids may hold slashes.

    Args:
        source: a callable is asked at each request: for a service whose models come and go.
        installing: the routes that install and remove; without them a service says that it cannot.
    """
    routes = APIRouter(tags=["models"])

    async def now() -> ServiceModels:
        return source if isinstance(source, ServiceModels) else await source()

    @routes.get("/v1/models")
    async def list_models() -> dict[str, Any]:
        """List the installed models and their aliases."""
        return (await now()).listing()

    @routes.get("/v1/catalogue")
    async def list_catalogue(wanted: Annotated[CatalogueQuery, Query()]) -> dict[str, Any]:
        """Search the public models for this service; each tells whether it runs here and fits this machine."""
        return await asyncio.to_thread((await now()).catalogue_listing, wanted)

    routes.include_router(installing or _cannot_install())

    @routes.post("/v1/models/{model_id:path}/load")
    async def load_model(model_id: str, request: Request, response: Response) -> dict[str, Any]:
        """Load a model now; with `Prefer: respond-async` answer 202 and go on, the model's entry tells how far."""
        models = await now()
        if (
            "respond-async"
            not in request.headers.get("prefer", "").replace(",", " ").replace(";", " ").split()
        ):
            entry = await asyncio.to_thread(models.load, model_id)
            return models.describe(entry)
        entry = models.begin(model_id)
        response.status_code = 202
        response.headers["Location"] = f"/v1/models/{quote(entry.id)}"
        response.headers["Preference-Applied"] = "respond-async"
        return models.describe(entry)

    @routes.post("/v1/models/{model_id:path}/unload")
    async def unload_model(model_id: str) -> dict[str, Any]:
        """Free a model's memory; 409 while it is in use."""
        models = await now()
        entry = await asyncio.to_thread(models.unload, model_id)
        return models.describe(entry)

    @routes.get("/v1/models/{model_id:path}")
    async def get_model(model_id: str) -> dict[str, Any]:
        """Describe one model, by name or alias."""
        models = await now()
        entry = models.resolve(model_id)
        return models.describe(entry, alias=model_id if model_id != entry.id else None)

    return routes


def _cannot_install() -> APIRouter:
    routes = APIRouter()

    @routes.post("/v1/models/install")
    async def install_model() -> dict[str, Any]:
        """Install a model from the hub (501: this service has one model)."""
        raise NotImplementedYet(
            "This service installs no models from the hub. "
            "Put the model's folder or file on the machine and name it in the service's settings."
        )

    @routes.delete("/v1/models/{model_id:path}")
    async def delete_model(model_id: str) -> dict[str, Any]:
        """Remove a model (501: this service has one model)."""
        raise NotImplementedYet("This service removes no models. Delete the model's folder instead.")

    return routes
