"""`/v1/fine_tuning/jobs`, as the official client speaks it, and the removal of what was trained."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Response
from fastapi.responses import StreamingResponse

from servicekit import sse
from servicekit.auth import Identity, identity_of
from svc_chat.api.pages import listed
from svc_chat.api.tuning_schemas import JobBody, checkpoint_body, event_body, job_body, progress_body
from svc_chat.domain.tuning.service import TuningService
from svc_chat.engine.history import Page
from svc_chat.engine.tuning.base import TuningEvent

Caller = Annotated[Identity, Depends(identity_of)]


def page(
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    after: Annotated[str | None, Query(max_length=200)] = None,
) -> Page:
    """Read which part of a list is asked for; the newest comes first."""
    return Page(limit, after)


Asked = Annotated[Page, Depends(page)]


def router(tuning: TuningService) -> APIRouter:
    """Return the routes of training jobs."""
    routes = APIRouter(prefix="/v1/fine_tuning/jobs", tags=["fine-tuning"])

    @routes.post("")
    async def create(body: JobBody, caller: Caller) -> dict[str, Any]:
        """Queue a training of a file's examples."""
        return job_body(await tuning.create(caller.user_id, body.order()))

    @routes.get("")
    async def list_jobs(asked: Asked, caller: Caller) -> dict[str, Any]:
        """List your trainings, newest first."""
        found = await tuning.list(caller.user_id, asked)
        return listed([job_body(job) for job in found.rows], found.has_more)

    @routes.get("/{job_id}")
    async def get(job_id: str, caller: Caller) -> dict[str, Any]:
        """Look at one training."""
        return job_body(await tuning.get(caller.user_id, job_id))

    @routes.post("/{job_id}/cancel")
    async def cancel(job_id: str, caller: Caller) -> dict[str, Any]:
        """End a training; what it had made is removed."""
        return job_body(await tuning.cancel(caller.user_id, job_id))

    @routes.post("/{job_id}/pause")
    async def pause(job_id: str, caller: Caller) -> dict[str, Any]:
        """Let a training rest at a checkpoint."""
        return job_body(await tuning.pause(caller.user_id, job_id))

    @routes.post("/{job_id}/resume")
    async def resume(job_id: str, caller: Caller) -> dict[str, Any]:
        """Go on with a paused training."""
        return job_body(await tuning.resume(caller.user_id, job_id))

    @routes.get("/{job_id}/events", response_model=None)
    async def events(
        job_id: str,
        asked: Asked,
        caller: Caller,
        stream: bool = False,
        last_event_id: Annotated[str | None, Header()] = None,
    ) -> Response | dict[str, Any]:
        """List what happened, newest first, or follow it with `stream=true` (server-sent events)."""
        if not stream:
            found = await tuning.events(caller.user_id, job_id, asked)
            return listed([event_body(job_id, event) for event in found.rows], found.has_more)
        await tuning.get(caller.user_id, job_id)
        after = sse.last_seen(last_event_id or asked.after)
        events = _stream(tuning, caller.user_id, job_id, after)
        return StreamingResponse(events, media_type=sse.MEDIA_TYPE, headers=sse.HEADERS)

    @routes.get("/{job_id}/checkpoints")
    async def checkpoints(job_id: str, asked: Asked, caller: Caller) -> dict[str, Any]:
        """List the models that were made on the way."""
        found = await tuning.checkpoints(caller.user_id, job_id)
        bodies = [checkpoint_body(model) for model in found]
        start = next((n + 1 for n, body in enumerate(bodies) if body["id"] == asked.after), 0)
        return listed(bodies[start : start + asked.limit], len(bodies) > start + asked.limit)

    return routes


def removal(tuning: TuningService) -> APIRouter:
    """Return the route that removes a trained model; it comes before those of other models."""
    routes = APIRouter(tags=["models"])

    @routes.delete("/v1/models/ft:{rest:path}")
    async def delete(rest: str, caller: Caller) -> dict[str, Any]:
        """Remove a model that you trained."""
        model_id = f"ft:{rest}"
        await tuning.delete_model(caller.user_id, model_id)
        return {"id": model_id, "object": "model", "deleted": True}

    return routes


async def _stream(tuning: TuningService, owner: str, job_id: str, after: int) -> AsyncIterator[bytes]:
    yield sse.KEEP_ALIVE  # headers and a first byte at once, whatever the job does
    async for happened in tuning.follow(owner, job_id, after):
        if isinstance(happened, TuningEvent):
            yield sse.event(event_body(job_id, happened), id=happened.seq)
        else:
            yield sse.event(progress_body(happened), name="progress")
    if (await tuning.get(owner, job_id)).final:
        yield sse.DONE  # without it there is more to hear, from this service or the one that follows it
