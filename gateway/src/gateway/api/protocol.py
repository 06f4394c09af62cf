"""uvicorn's HTTP/1.1 with less done for each call: a whole answer is one write, and a connection keeps one timer.

Owns how such an answer is written down. Everything else, and every answer that is not plain, is uvicorn's.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from gateway.api.exchange import WHOLE

_EXTENSIONS: dict[str, Any] = {WHOLE: {}}
_BODILESS = frozenset({204, 304})


class Cycle(RequestResponseCycle):
    """One request and its answer."""

    async def send(self, message: Any) -> None:
        """Send a part of the answer, or all of it."""
        body = message.get("body") if message["type"] == "http.response.start" else None
        if body is None:
            await super().send(message)
            return
        if self._is_plain(message["status"], message["headers"], body):
            if self.flow.write_paused and not self.disconnected:
                await self.flow.drain()
            if not self.disconnected:
                self._write_whole(message["status"], message["headers"], body)
            return
        await super().send({k: v for k, v in message.items() if k != "body"})  # type: ignore[arg-type,misc]
        await super().send({"type": "http.response.body", "body": body, "more_body": False})

    def _is_plain(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> bool:
        """Tell whether head and body say the same, as they do but for HEAD and the like."""
        return (
            self.scope["method"] != "HEAD"
            and status >= 200
            and status not in _BODILESS
            and (b"content-length", b"%d" % len(body)) in headers
            and not self.response_started
        )

    def _write_whole(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        lines = [b": ".join(header) for header in (*self.default_headers, *headers)]
        if (b"connection", b"close") in headers:
            self.keep_alive = False
        elif not self.keep_alive:
            lines.append(b"connection: close")
        head = b"\r\n".join(lines)
        if head.count(b"\n") != len(lines) - 1 or head.count(b"\r") != len(lines) - 1 or b"\0" in head:
            raise RuntimeError("a header holds a line break")
        self.response_started = self.response_complete = True
        self.waiting_for_100_continue = False
        self.transport.write(STATUS_LINE[status] + head + b"\r\n\r\n" + body)
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()


class Protocol(HttpToolsProtocol):
    """One connection of a client. Its timer runs on while calls come and is looked at when it rings.

    Who opens one and never sends a whole head holds it no longer than who is done: uvicorn has no timer for that.
    """

    _idle_since: float | None = None
    """When it was opened or the last answer ended; None from the end of a request's head to that of its answer."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first request."""
        super().connection_made(transport)
        self._idle_since = self.loop.time()
        self.timeout_keep_alive_task = self.loop.call_later(
            self.timeout_keep_alive, self.timeout_keep_alive_handler
        )

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self.scope["extensions"] = _EXTENSIONS

    def on_headers_complete(self) -> None:
        """A request's head is here."""
        self._idle_since = None
        super().on_headers_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        cycle.__class__ = Cycle  # uvicorn names the class in the middle of a method
        super()._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        """Go on with the next request, if it came already."""
        self._idle_since = None if self.pipeline else self.loop.time()
        if self.pipeline or self.timeout_keep_alive_task is None:
            super().on_response_complete()
            return
        self.server_state.total_requests += 1
        self.flow.resume_reading()

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection that has been idle for too long."""
        self.timeout_keep_alive_task = None
        if self._idle_since is None:  # the end of the answer winds it up again
            return
        left_s = self._idle_since + self.timeout_keep_alive - self.loop.time()
        if left_s > 0:
            self.timeout_keep_alive_task = self.loop.call_later(left_s, self.timeout_keep_alive_handler)
        else:
            super().timeout_keep_alive_handler()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let everything go."""
        super()._unset_keepalive_if_required()
        super().connection_lost(exc)

    def _unset_keepalive_if_required(self) -> None:
        """Leave the timer alone: stopping and starting it for each call costs more than its rare ringing."""
