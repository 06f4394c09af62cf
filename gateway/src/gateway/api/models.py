"""The models of all services as one list. Load, unload and removal are forwarded by the edge."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, Field

from gateway.parts import Parts
from servicekit.auth import Identity, identity_of
from servicekit.errors import UpstreamFailed
from servicekit.models import CatalogueQuery


class Install(BaseModel):
    """Body of `POST /v1/models/install` and `/plan`."""

    id: str = Field(min_length=1, max_length=300)
    """An id of a catalogue, or any repository of the hub as `owner/name`; then `service` says who runs it."""
    service: Literal["chat", "image-gen", "vision", "translate", "tts", "rag"] | None = None
    revision: str | None = Field(default=None, min_length=1, max_length=100)


class CatalogueSearch(CatalogueQuery):
    """What a service's catalogue is searched by, and the service."""

    service: Literal["svc-chat", "svc-image-gen", "svc-vision", "svc-translate", "svc-tts", "svc-rag", ""] = (
        ""
    )

    def keep(self, rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Return the entries that are so, in their order."""
        return super().keep(row for row in rows if self.service in ("", row.get("service")))


def router(parts: Parts) -> APIRouter:
    """Make the routes of `/v1/models` and `/v1/catalogue`."""
    routes = APIRouter(prefix="/v1", tags=["models"])

    @routes.get("/models")
    async def list_models(caller: Identity = Depends(identity_of)) -> dict[str, Any]:
        """List the installed models of all services; `missing` names services that could not be asked."""
        told = await parts.catalogue.models(caller)
        return {"object": "list", "data": told.entries, "missing": told.missing}

    @routes.get("/catalogue")
    async def list_catalogue(
        wanted: Annotated[CatalogueSearch, Query()], caller: Identity = Depends(identity_of)
    ) -> dict[str, Any]:
        """Search the public models of all services; `missing` names services that could not be asked."""
        told = await parts.catalogue.public_models(caller)
        return {"object": "list", "data": wanted.keep(told.entries), "missing": told.missing}

    @routes.post("/models/install")
    async def install(asked: Install, response: Response, caller: Identity = Depends(identity_of)) -> Any:
        """Let the service whose catalogue names the model, or the one asked for, install it as a job."""
        job = await _ask(asked, "install", caller)
        if not isinstance(job, dict) or not isinstance(job.get("id"), str):
            raise UpstreamFailed("The service answered with something that is no job.")
        response.status_code = 202
        response.headers["Location"] = f"/v1/jobs/{job['id']}"
        return job

    @routes.post("/models/plan")
    async def plan(asked: Install, caller: Identity = Depends(identity_of)) -> Any:
        """Let that service say what installing takes; no weights are fetched."""
        return await _ask(asked, "plan", caller)

    async def _ask(asked: Install, what: str, caller: Identity) -> Any:
        service = asked.service or await parts.catalogue.service_of(asked.id, caller)
        body = {"id": asked.id} | ({"revision": asked.revision} if asked.revision else {})
        return await parts.calls.json(
            service, "POST", f"/v1/models/{what}", token=caller.token, timeout_s=60, json=body
        )

    @routes.get("/models/{model_id:path}")
    async def get_model(model_id: str, caller: Identity = Depends(identity_of)) -> dict[str, Any]:
        """Describe one model or alias."""
        return await parts.catalogue.model(model_id, caller)

    return routes
