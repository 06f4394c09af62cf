"""`/v1/threads/{id}/runs`: runs, their steps, and the streams that tell of them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Annotated, Any, cast

import orjson
from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import StreamingResponse

from servicekit import sse
from servicekit.auth import Identity, identity_of
from servicekit.disconnect import unless_disconnected
from servicekit.errors import BadRequest, ServiceError
from svc_chat.api.pages import AskedBothWays, listed
from svc_chat.api.run_schemas import CONTENT, RunBody, ThreadAndRunBody, ToolOutputs
from svc_chat.api.streams import streamed, with_keep_alive
from svc_chat.api.thread_schemas import MessageChange
from svc_chat.domain.assistants.objects import shown
from svc_chat.domain.assistants.runs import RunService
from svc_chat.domain.assistants.work import AssistantRun
from svc_chat.engine.history import Event
from svc_chat.engine.threads import ACTIVE

Caller = Annotated[Identity, Depends(identity_of)]
Include = Annotated[list[str] | None, Query(alias="include[]")]
POLL_MS = 250
"""After how long the official client asks again, until a run has ended."""
_DONE = b"event: done\ndata: [DONE]\n\n"


def router(runs: RunService) -> APIRouter:
    """Return the routes of runs."""
    routes = APIRouter(prefix="/v1/threads", tags=["runs"])

    @routes.post("/runs", response_model=None)
    async def create_with_thread(body: ThreadAndRunBody, request: Request, caller: Caller) -> Response:
        """Begin a thread and run an assistant on it."""
        creating = runs.create_with_thread(body.to_domain(caller.bearer), caller.user_id)
        run = await unless_disconnected(request, creating)
        return await _told(request, run, bool(body.stream))

    @routes.post("/{thread_id}/runs", response_model=None)
    async def create(
        thread_id: str, body: RunBody, request: Request, caller: Caller, include: Include = None
    ) -> Response:
        """Run an assistant on a thread."""
        _check(include)
        creating = runs.create(body.to_domain(caller.bearer), caller.user_id, thread_id)
        run = await unless_disconnected(request, creating)
        return await _told(request, run, bool(body.stream))

    @routes.get("/{thread_id}/runs")
    async def list_runs(thread_id: str, caller: Caller, page: AskedBothWays) -> dict[str, Any]:
        """List a thread's runs, newest first."""
        found = await runs.list(caller.user_id, thread_id, page)
        return listed(shown(found.rows), found.has_more)

    @routes.get("/{thread_id}/runs/{run_id}", response_model=None)
    async def get(
        thread_id: str,
        run_id: str,
        request: Request,
        caller: Caller,
        stream: bool = False,
        starting_after: Annotated[int, Query(ge=-1, le=2**31 - 1)] = -1,
    ) -> Response:
        """Give a run, or its events after number `starting_after` (the ids of the events)."""
        if stream:
            events = runs.follow(caller.user_id, thread_id, run_id, starting_after)
            return await _streaming(request, events)
        return _json(await runs.get(caller.user_id, thread_id, run_id))

    @routes.post("/{thread_id}/runs/{run_id}", response_model=None)
    async def change(thread_id: str, run_id: str, body: MessageChange, caller: Caller) -> Response:
        """Replace a run's metadata."""
        return _json(await runs.change(caller.user_id, thread_id, run_id, body.metadata or {}))

    @routes.post("/{thread_id}/runs/{run_id}/cancel", response_model=None)
    async def cancel(thread_id: str, run_id: str, caller: Caller) -> Response:
        """End a run; what is written stays."""
        return _json(await runs.cancel(caller.user_id, thread_id, run_id))

    @routes.post("/{thread_id}/runs/{run_id}/submit_tool_outputs", response_model=None)
    async def submit(
        thread_id: str, run_id: str, body: ToolOutputs, request: Request, caller: Caller
    ) -> Response:
        """Give a run what its functions gave."""
        run = await runs.submit(caller.user_id, thread_id, run_id, body.by_call(), caller.bearer)
        return await _told(request, run, bool(body.stream))

    _add_steps(routes, runs)
    return routes


def _add_steps(routes: APIRouter, runs: RunService) -> None:
    @routes.get("/{thread_id}/runs/{run_id}/steps")
    async def list_steps(
        thread_id: str, run_id: str, caller: Caller, page: AskedBothWays, include: Include = None
    ) -> dict[str, Any]:
        """List a run's steps, newest first."""
        _check(include)
        found = await runs.steps(caller.user_id, thread_id, run_id, page)
        return listed([_step(step, include) for step in found.rows], found.has_more)

    @routes.get("/{thread_id}/runs/{run_id}/steps/{step_id}")
    async def get_step(
        thread_id: str, run_id: str, step_id: str, caller: Caller, include: Include = None
    ) -> dict[str, Any]:
        """Give one step."""
        _check(include)
        return _step(await runs.step(caller.user_id, thread_id, run_id, step_id), include)


async def _told(request: Request, run: AssistantRun, stream: bool) -> Response:
    if stream:
        return await _streaming(request, run.read())
    return _json(run.snapshot)


async def _streaming(request: Request, events: AsyncIterator[Event]) -> StreamingResponse:
    return await streamed(
        request, with_keep_alive(cast(AsyncGenerator[Event, None], events), _sent, _DONE), _error_event
    )


def _sent(event: Event) -> bytes:
    return sse.event(event["data"], name=event["event"], id=event["sequence_number"])


def _error_event(error: ServiceError) -> bytes:
    return sse.event(error.body()["error"], name="error")


def _json(body: Mapping[str, Any]) -> Response:
    headers = {"openai-poll-after-ms": str(POLL_MS)} if body["status"] in ACTIVE else {}
    return Response(orjson.dumps(shown(body)), media_type="application/json", headers=headers)


def _step(step: Mapping[str, Any], include: list[str] | None) -> dict[str, Any]:
    """Return a step as it is shown; the text of found passages only when that is asked for."""
    told: dict[str, Any] = shown(step)
    if not include or step["type"] != "tool_calls":
        return told
    for call, kept in zip(
        told["step_details"]["tool_calls"], step["step_details"]["tool_calls"], strict=True
    ):
        if call["type"] == "file_search":
            results = zip(
                call["file_search"].get("results", ()), kept["file_search"].get("results", ()), strict=True
            )
            for result, found in results:
                result["content"] = [{"type": "text", "text": found["_text"]}]
    return told


def _check(include: list[str] | None) -> None:
    unknown = next((name for name in include or () if name != CONTENT), None)
    if unknown is not None:
        raise BadRequest(f"'include' has '{unknown[:80]}'; it can have '{CONTENT}'.", param="include")
