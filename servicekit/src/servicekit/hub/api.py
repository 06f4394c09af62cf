"""HTTP routes for installing and removing models; a service that installs puts them into its routes of models."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, Field

from servicekit.auth import Identity, identity_of
from servicekit.hub.installs import Installs
from servicekit.jobs import JobQueue

Caller = Annotated[Identity, Depends(identity_of)]


class Wanted(BaseModel):
    """Body of `POST /v1/models/install` and `/plan`."""

    id: Annotated[str, Field(min_length=1, max_length=300)]
    """An id of the catalogue, `owner/name` or `owner/name:file.gguf`."""
    revision: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[\w./-]+$")] | None = None
    """Branch, tag or commit; the main branch without it."""


def router(installs: Installs, queue: JobQueue) -> APIRouter:
    """Make the routes of one service."""
    routes = APIRouter(tags=["models"])

    @routes.post("/v1/models/plan")
    async def plan_model(asked: Wanted) -> dict[str, Any]:
        """Say what installing a model takes and whether it fits; fetches no weights."""
        return (await asyncio.to_thread(installs.plan, asked.id, asked.revision)).as_dict()

    @routes.post("/v1/models/install", status_code=202)
    async def install_model(asked: Wanted, caller: Caller, response: Response) -> dict[str, Any]:
        """Install a model from the hub as a job; asked again after a failure it goes on where it was."""
        job = await asyncio.to_thread(
            installs.begin, asked.id, asked.revision, caller.user_id, caller.role, queue
        )
        response.headers["Location"] = f"/v1/jobs/{job.id}"
        return job.as_dict()

    @routes.delete("/v1/models/{model_id:path}")
    async def delete_model(model_id: str, caller: Caller) -> dict[str, Any]:
        """Remove an installed model and free its disk; 409 while it is in use."""
        await asyncio.to_thread(installs.remove, model_id, caller.role, queue)
        return {"id": model_id, "object": "model", "deleted": True}

    return routes
