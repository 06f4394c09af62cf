"""`/v1/embedder`: which embedder the documents are indexed with, and moving them all to another."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response
from pydantic import Field

from servicekit.auth import Identity, identity_of
from servicekit.errors import Conflict, Forbidden
from servicekit.jobs import Job, JobQueue
from svc_rag.api.schemas import Body
from svc_rag.domain.embedders import Embedders
from svc_rag.domain.reindexing import REINDEX
from svc_rag.engine.base import ChunkStore
from svc_rag.engine.embedder_record import EmbedderRecord

Caller = Annotated[Identity, Depends(identity_of)]


class Chosen(Body):
    """Body of `POST /v1/embedder`."""

    model: Annotated[str, Field(min_length=1, max_length=300)]
    """An installed embedder."""


@dataclass(frozen=True, slots=True)
class Switching:
    """Begins, pauses and tells of moves to another embedder. Calls block."""

    queue: JobQueue
    store: ChunkStore
    embedders: Embedders
    record: EmbedderRecord

    def begin(self, model_id: str, caller: Identity) -> Job:
        """Submit the job; the one that is at it already is returned instead. Raises Forbidden, ModelNotFound, Conflict."""
        _owners_only(caller)
        self.store.check()
        self.embedders.get(model_id)
        running = self.job()
        if running is not None:
            if running.payload["model"] == model_id and running.owner == caller.user_id:
                return running
            raise Conflict(
                f"The documents are being indexed with '{running.payload['model']}' just now. Wait for that, or cancel it.",
                param="model",
            )
        if model_id == self.embedders.name_in_use:
            raise Conflict(f"The documents are indexed with '{model_id}' already.", param="model")
        return self.queue.submit(REINDEX, {"model": model_id}, caller.user_id)

    def job(self) -> Job | None:
        """Return the job that moves the documents just now."""
        return next(iter(self.queue.unfinished(REINDEX)), None)

    def pause(self, caller: Identity, *, on: bool) -> None:
        """Let the move rest, or go on. Raises Forbidden, Conflict."""
        _owners_only(caller)
        job = self.job()
        if job is None:
            raise Conflict("The documents are not being indexed with another embedder just now.")
        self.record.pause(job.id if on else None)

    def state(self) -> dict[str, Any]:
        """Say what is in use and how far a move is."""
        space, job = self.store.space, self.job()
        moving = None
        if job is not None:
            moving = {
                "job_id": job.id, "model": job.payload["model"], "paused": self.record.is_paused(job.id),
                **job.progress(),
            }  # fmt: skip
        return {
            "object": "embedder", "model": space.model, "dimension": space.dimension,
            "installed": space.model in self.embedders.names(), "moving": moving,
        }  # fmt: skip


def router(switching: Switching) -> APIRouter:
    """Return the routes of the embedder in use."""
    routes = APIRouter(prefix="/v1/embedder", tags=["embeddings"])

    @routes.get("")
    async def get_embedder() -> dict[str, Any]:
        """Say which embedder the documents are indexed with, and how far a move to another is."""
        return await asyncio.to_thread(switching.state)

    @routes.post("", status_code=202)
    async def choose_embedder(body: Chosen, caller: Caller, response: Response) -> dict[str, Any]:
        """Index all documents with another embedder, as a job; searches are answered by the old one until it is done."""
        job = await asyncio.to_thread(switching.begin, body.model, caller)
        response.headers["Location"] = f"/v1/jobs/{job.id}"
        return job.as_dict()

    @routes.post("/pause")
    async def pause(caller: Caller) -> dict[str, Any]:
        """Let the move rest; it keeps what it has, also over a restart."""
        await asyncio.to_thread(switching.pause, caller, on=True)
        return await asyncio.to_thread(switching.state)

    @routes.post("/resume")
    async def resume(caller: Caller) -> dict[str, Any]:
        """Go on with a move that rests."""
        await asyncio.to_thread(switching.pause, caller, on=False)
        return await asyncio.to_thread(switching.state)

    return routes


def _owners_only(caller: Identity) -> None:
    if caller.role != "owner":
        raise Forbidden("Only an owner may change the embedder of all documents. Ask one, or log in as one.")
