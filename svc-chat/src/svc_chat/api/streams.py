"""Streams to callers: an early error keeps its status, a late one travels as an event, leaving ends the work."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from typing import TypeVar

import anyio
from fastapi import Request
from fastapi.responses import StreamingResponse
from starlette.types import Send

from servicekit import sse
from servicekit.disconnect import unless_disconnected
from servicekit.errors import InternalError, ServiceError

KEEP_ALIVE_S = 15.0
"""Silence after which a comment is sent, so that nothing on the way takes the stream for dead."""
log = logging.getLogger(__name__)
Pieces = AsyncGenerator[bytes, None]
T = TypeVar("T")


class _Closing(StreamingResponse):
    """Closes what it streams at once when the caller leaves, not when it is collected."""

    def __init__(self, pieces: Pieces, media_type: str):
        super().__init__(pieces, media_type=media_type, headers=sse.HEADERS)
        self._pieces = pieces

    async def stream_response(self, send: Send) -> None:
        try:
            await super().stream_response(send)
        finally:
            with anyio.CancelScope(shield=True):
                await self._pieces.aclose()


def error_event(error: ServiceError) -> bytes:
    """Return an error as the event that OpenAI's clients raise."""
    return sse.event(error.body())


async def streamed(
    request: Request,
    pieces: Pieces,
    failed: Callable[[ServiceError], bytes] = error_event,
    media_type: str = sse.MEDIA_TYPE,
) -> StreamingResponse:
    """Return the answer that sends `pieces`, once the first of them is there.

    Raises:
        ServiceError: what went wrong before the first piece; afterwards `failed` says how it is told.
    """
    first = await unless_disconnected(request, _first(pieces))
    return _Closing(_all(first, pieces, failed), media_type)


async def _first(pieces: Pieces) -> bytes:
    return await anext(pieces)


async def _all(first: bytes, pieces: Pieces, failed: Callable[[ServiceError], bytes]) -> Pieces:
    try:
        yield first
        async for piece in pieces:
            yield piece
    except ServiceError as error:
        yield failed(error)
    except Exception:
        log.exception("a stream broke")
        yield failed(InternalError("Something broke here. The log has the request id."))
    finally:
        await pieces.aclose()


async def with_keep_alive(
    events: AsyncGenerator[T, None], sent: Callable[[T], bytes], last: bytes = b""
) -> Pieces:
    """Yield what `sent` makes of the events, comments while there are none, and `last` at the end."""
    pending: asyncio.Task[T] | None = None
    told = False
    try:
        while True:
            pending = pending or asyncio.ensure_future(anext(events))  # type: ignore[arg-type]
            await asyncio.wait({pending}, timeout=KEEP_ALIVE_S)
            if not pending.done():
                yield sse.KEEP_ALIVE
                continue
            try:
                event = pending.result()
            except StopAsyncIteration:
                if last or not told:
                    yield last or sse.KEEP_ALIVE  # nothing is left to tell, and that is an answer too
                return
            pending, told = None, True
            yield sent(event)
    finally:
        if pending is not None:
            pending.cancel()
            await asyncio.gather(pending, return_exceptions=True)
        await events.aclose()
