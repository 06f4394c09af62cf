"""`/v1/sessions`: run code in a session, stop it, end the session."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from servicekit import sse
from servicekit.auth import Identity, identity_of
from servicekit.disconnect import unless_disconnected
from servicekit.errors import BadRequest, ServiceError
from svc_code.api.schemas import ExecuteRequest, execution_as_dict, session_as_dict
from svc_code.domain.sessions import Session, Sessions
from svc_code.engine.base import Execution, Stream
from svc_code.engine.names import SESSION_PATTERN
from svc_code.errors import CodeTooLong
from svc_code.settings import Settings

SCOPE = "chat"
"""What a key must have: code is run for a conversation."""


def _caller(identity: Annotated[Identity, Depends(identity_of)]) -> Identity:
    identity.require(SCOPE)
    return identity


SessionId = Annotated[str, Path(pattern=SESSION_PATTERN, description="The thread's id.")]
Caller = Annotated[Identity, Depends(_caller)]
KEEP_ALIVE_S = 10.0
AT_ONCE_S = 0.05
"""Refusals come within this time, and then with their own status instead of in the stream."""
Ended = tuple[Session, Execution]


def router(sessions: Sessions, settings: Settings) -> APIRouter:
    """Make the routes."""
    routes = APIRouter(tags=["sessions"])

    @routes.get("/v1/sessions")
    async def list_sessions(caller: Caller) -> dict[str, Any]:
        """List your sessions, the last used first."""
        own = sessions.of(caller.user_id)
        return {"object": "list", "data": [session_as_dict(s, sessions.rests_s(s)) for s in own]}

    @routes.get("/v1/sessions/{id}")
    async def get_session(id: SessionId, caller: Caller) -> dict[str, Any]:
        """Tell of one session."""
        session = sessions.find(caller.user_id, id)
        return session_as_dict(session, sessions.rests_s(session))

    @routes.delete("/v1/sessions/{id}", status_code=204)
    async def delete_session(id: SessionId, caller: Caller) -> Response:
        """End a session: processes, variables and files are gone."""
        await sessions.end(caller.user_id, id)
        return Response(status_code=204)

    @routes.post("/v1/sessions/{id}/interrupt")
    async def interrupt(id: SessionId, caller: Caller) -> dict[str, bool]:
        """Stop what the session runs; its variables stay when the code lets itself be interrupted."""
        return {"interrupted": await sessions.interrupt(caller.user_id, id)}

    @routes.post("/v1/sessions/{id}/execute", response_model=None)
    async def execute(
        id: SessionId, body: ExecuteRequest, request: Request, caller: Caller
    ) -> dict[str, Any] | StreamingResponse:
        """Run code; the session is made when there is none. Leaving stops the code."""
        timeout_s = _checked(body, settings)
        if body.stream:
            return await _streamed(sessions, caller.user_id, id, body.code, timeout_s)
        work = sessions.execute(caller.user_id, id, body.code, timeout_s)
        return execution_as_dict(*await unless_disconnected(request, work))

    return routes


def _checked(body: ExecuteRequest, settings: Settings) -> float:
    """Return the seconds it gets. Raises: CodeTooLong, BadRequest."""
    if len(body.code) > settings.max_code_chars:
        raise CodeTooLong(
            f"The code has {len(body.code)} characters; {settings.max_code_chars} are the most. "
            "Upload it as a file and import it.",
            param="code",
        )
    try:
        body.code.encode("utf-8")
    except UnicodeEncodeError as exc:
        raise BadRequest(
            "The code is not valid Unicode: half of a pair of surrogates.", param="code"
        ) from exc
    if body.timeout_s is not None and body.timeout_s > settings.timeout_max_s:
        raise BadRequest(
            f"timeout_s is {body.timeout_s:g}; {settings.timeout_max_s:g} is the most.", param="timeout_s"
        )
    return body.timeout_s or settings.timeout_s


async def _streamed(
    sessions: Sessions, owner: str, id: str, code: str, timeout_s: float
) -> StreamingResponse:
    coming: asyncio.Queue[bytes] = asyncio.Queue()

    def on_output(stream: Stream, text: str) -> None:
        # bounded by the limits of output: not the queue's length but its content is what is limited
        coming.put_nowait(sse.event({"stream": stream, "text": text}, name="output"))

    task = asyncio.create_task(sessions.execute(owner, id, code, timeout_s, on_output))
    try:
        await asyncio.wait({task}, timeout=AT_ONCE_S)
    except asyncio.CancelledError:
        await _stopped(task)
        raise
    if task.done():
        task.result()
    return _Stream(task, coming)


class _Stream(StreamingResponse):
    """Tells what an execution gives; whoever stops reading stops the code, also before the first word."""

    def __init__(self, task: asyncio.Task[Ended], coming: asyncio.Queue[bytes]):
        super().__init__(_events(task, coming), media_type=sse.MEDIA_TYPE, headers=sse.HEADERS)
        self._task = task

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            await _stopped(self._task)


async def _stopped(task: asyncio.Task[Ended]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def _events(task: asyncio.Task[Ended], coming: asyncio.Queue[bytes]) -> AsyncIterator[bytes]:
    """Give output as it comes, then `done` or `error`."""
    while not task.done() or not coming.empty():
        getting = asyncio.ensure_future(coming.get())
        try:
            await asyncio.wait({task, getting}, timeout=KEEP_ALIVE_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            came = getting.done() or not getting.cancel()
        if came:
            yield getting.result()
        elif not task.done():
            yield sse.KEEP_ALIVE
    try:
        yield sse.event(execution_as_dict(*task.result()), name="done")
    except ServiceError as error:
        yield sse.event(error.body(), name="error")
