"""HTTP routes for jobs (FastAPI): list, look, follow by server-sent events, cancel."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Response
from fastapi.responses import StreamingResponse

from servicekit import sse
from servicekit.auth import Identity, identity_of
from servicekit.jobs.model import Job
from servicekit.jobs.queue import JobQueue

Caller = Annotated[Identity, Depends(identity_of)]


def router(queue: JobQueue) -> APIRouter:
    """Make the routes for `queue`; everybody sees their own jobs alone."""
    routes = APIRouter(tags=["jobs"])

    @routes.get("/v1/jobs")
    async def list_jobs(caller: Caller, limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> dict[str, Any]:
        """List your jobs, newest first."""
        jobs = await asyncio.to_thread(queue.list, caller.user_id, limit)
        return {"object": "list", "data": [job.as_dict() for job in jobs]}

    @routes.get("/v1/jobs/{job_id}")
    async def get_job(job_id: str, caller: Caller) -> dict[str, Any]:
        """Look at one job."""
        return (await asyncio.to_thread(queue.get, job_id, caller.user_id)).as_dict()

    @routes.get("/v1/jobs/{job_id}/events", response_class=StreamingResponse)
    async def follow_job(
        job_id: str, caller: Caller, last_event_id: Annotated[str | None, Header()] = None
    ) -> Response:
        """Follow a job by server-sent events; `Last-Event-ID` goes on where a stream broke off."""
        after = sse.last_seen(last_event_id)
        job = await asyncio.to_thread(queue.get, job_id, caller.user_id)
        if job.final and after >= job.seq:
            return Response(status_code=204)  # tells an EventSource not to come back
        return StreamingResponse(_stream(queue, job, after), media_type=sse.MEDIA_TYPE, headers=sse.HEADERS)

    @routes.delete("/v1/jobs/{job_id}")
    async def cancel_job(job_id: str, caller: Caller) -> dict[str, Any]:
        """Cancel a job; one that is final stays as it is."""
        return (await asyncio.to_thread(queue.cancel, job_id, caller.user_id)).as_dict()

    return routes


async def _stream(queue: JobQueue, job: Job, after: int) -> AsyncIterator[bytes]:
    yield sse.KEEP_ALIVE  # headers and a first byte at once, whatever the job does
    async for event in queue.events(job.id, job.owner, after):
        if event.heartbeat:
            yield sse.KEEP_ALIVE
        yield sse.event(event.body, id=event.seq)
