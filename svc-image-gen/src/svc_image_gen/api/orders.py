"""Placing a drawing job and waiting for it: what both ways of asking share."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Header, Request
from fastapi.responses import JSONResponse

from servicekit.errors import BadRequest
from servicekit.jobs import Job, JobQueue
from svc_image_gen.domain.pictures import PictureSpec
from svc_image_gen.domain.studio import KIND
from svc_image_gen.errors import DrawingCancelled, DrawingFailed, StillDrawing

IdempotencyKey = Annotated[str | None, Header(max_length=255)]


@dataclass(frozen=True)
class Orders:
    """Submit jobs to `queue`; a call waits for one at most `timeout_s` seconds."""

    queue: JobQueue
    timeout_s: float

    async def place(self, spec: PictureSpec, owner: str, key: str | None) -> Job:
        """Queue a job, or find the one that `key` queued before."""
        if key is not None and not key.strip():
            raise BadRequest(
                "The Idempotency-Key is empty. Leave it out or send one.", param="Idempotency-Key"
            )
        return await asyncio.to_thread(self.queue.submit, KIND, spec.as_payload(), owner, key)

    async def result(self, job: Job) -> dict[str, Any]:
        """Wait for a job's result.

        Raises:
            DrawingFailed, DrawingCancelled: how it ended. StillDrawing: it goes on after the time is up.
        """
        try:
            async with asyncio.timeout(self.timeout_s):
                done = await self.queue.wait(job.id)
        except TimeoutError as exc:
            raise StillDrawing(
                f"The pictures were not ready within {self.timeout_s:g} seconds. "
                f"Their job goes on: GET /v1/jobs/{job.id}."
            ) from exc
        if done.status == "cancelled":
            raise DrawingCancelled(f"The job {job.id} was cancelled. Send the request again.")
        if done.status == "failed" or done.result is None:
            raise DrawingFailed(done.error)
        return done.result


def wants_job(request: Request) -> bool:
    """Say whether the caller prefers a job to waiting (RFC 7240)."""
    wanted = ",".join(request.headers.getlist("prefer")).lower().split(",")
    return "respond-async" in [part.split(";")[0].strip() for part in wanted]


def accepted(job: Job) -> JSONResponse:
    """Return 202 with the job and where it can be followed."""
    headers = {"Location": f"/v1/jobs/{job.id}", "Preference-Applied": "respond-async"}
    return JSONResponse(job.as_dict(), status_code=202, headers=headers)
