"""The routes of `api` for Flask."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

from flask import Blueprint, Response, g, jsonify, request

from servicekit import sse
from servicekit.auth import Identity
from servicekit.errors import BadRequest, TooBusy
from servicekit.jobs.queue import HEARTBEAT_S, JobQueue

POLL_S = 0.2
FOLLOWERS = 16
"""Streams of events at once: each holds one of the server's threads for as long as its job lasts."""


def blueprint(queue: JobQueue) -> Blueprint:
    """Make the routes for `queue`; everybody sees their own jobs alone."""
    routes = Blueprint("jobs", __name__)
    places = threading.BoundedSemaphore(FOLLOWERS)

    @routes.get("/v1/jobs")
    def list_jobs() -> Response:
        text = request.args.get("limit", "100")
        if not text.isdecimal() or not 1 <= int(text) <= 1000:
            raise BadRequest(f"'limit' is {text[:20]!r}; 1 to 1000 are allowed.", param="limit")
        return jsonify(
            {"object": "list", "data": [job.as_dict() for job in queue.list(_caller(), int(text))]}
        )

    @routes.get("/v1/jobs/<job_id>")
    def get_job(job_id: str) -> Response:
        return jsonify(queue.get(job_id, _caller()).as_dict())

    @routes.get("/v1/jobs/<job_id>/events")
    def follow_job(job_id: str) -> Response:
        caller, after = _caller(), sse.last_seen(request.headers.get("last-event-id"))
        job = queue.get(job_id, caller)
        if job.final and after >= job.seq:
            return Response(status=204)
        if not places.acquire(blocking=False):
            raise TooBusy(
                f"{FOLLOWERS} readers follow jobs of this service already. Look at it now and then: GET /v1/jobs/{job.id}.",
                retry_after_s=2,
            )
        stream = _stream(queue, job_id, caller, after)
        response = Response(stream, mimetype=sse.MEDIA_TYPE, headers=sse.HEADERS)
        response.call_on_close(places.release)  # not by the stream, which may never begin
        return response

    @routes.delete("/v1/jobs/<job_id>")
    def cancel_job(job_id: str) -> Response:
        return jsonify(queue.cancel(job_id, _caller()).as_dict())

    return routes


def _stream(queue: JobQueue, job_id: str, caller: str, after: int) -> Iterator[bytes]:
    """Tell the job's events, and that it is alive, until it is final; one of the server's threads serves it."""
    yield sse.KEEP_ALIVE
    told_at = time.monotonic()
    while True:
        for event in queue.events_after(job_id, after):
            after, told_at = event.seq, time.monotonic()
            yield sse.event(event.body, id=event.seq)
        job = queue.get(job_id, caller)
        if job.final and job.seq <= after:
            return
        if time.monotonic() - told_at > HEARTBEAT_S:
            told_at = time.monotonic()
            yield sse.KEEP_ALIVE
        time.sleep(POLL_S)


def _caller() -> str:
    caller = g.identity
    assert isinstance(caller, Identity)
    return caller.user_id
