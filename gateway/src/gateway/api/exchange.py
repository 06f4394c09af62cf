"""One request and its answer on the raw ASGI path.

Owns: the headers that matter read once, the body with its limit, the answer, and noticing at once that
the client left. Knows nothing of routes, users or services.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from random import getrandbits
from typing import Any

import orjson
from starlette.types import Message, Receive, Scope, Send

from gateway.domain.headers import API_SECURITY, SHARED_SECURITY, page_security
from gateway.errors import BodyStalled
from servicekit.asgi import request_id_for
from servicekit.deadline import Deadline
from servicekit.errors import PayloadTooLarge, ServiceError

SMALL_BODY = 64 * 1024
WHOLE = "oficina.whole"
"""ASGI extension: `http.response.start` may bring the whole answer in `body`; no other message follows."""
_WATCH_AFTER_S = 0.05
BODY_SILENCE_S = 60.0
"""Seconds without a byte after which the rest of a body is not waited for: who is gone without a word sends no end."""
Headers = list[tuple[bytes, bytes]]
_READ = frozenset(
    {
        b"host", b"authorization", b"cookie", b"origin", b"x-request-id", b"content-length", b"content-type",
        b"transfer-encoding", b"cache-control", b"x-csrf-token", b"accept", b"sec-fetch-site",
        b"x-request-timeout", b"x-stainless-timeout", b"x-stainless-read-timeout", b"idempotency-key",
        b"traceparent", b"tracestate",
    }
)  # fmt: skip


class ClientGone(Exception):
    """The client left before its whole body was here; what came must not pass for all of it."""


class Exchange:
    """A request being answered."""

    __slots__ = (
        "scope", "_receive", "_send", "method", "path", "seen", "request_id", "started", "status", "gone",
        "_task", "_watcher", "_watching", "_over", "_max_body", "_read_bytes", "extra", "refused", "failed", "trace",
        "deadline", "_sent", "declared_length", "target", "shared", "public", "_whole",
    )  # fmt: skip

    def __init__(self, scope: Scope, receive: Receive, send: Send, max_body_bytes: int):
        self.scope, self._receive, self._send = scope, receive, send
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.seen: dict[bytes, str] = {}
        for name, value in scope["headers"]:
            if name in _READ:
                if name not in self.seen:
                    self.seen[name] = value.decode("latin-1")
                elif name == b"host":
                    self.seen[name] = ""  # of two, who knows which one others read: refused by the gate
        raw: bytes = scope.get("raw_path") or self.path.encode()
        query: bytes = scope["query_string"]
        self.target = (raw + b"?" + query if query else raw).decode("latin-1")
        """Path and query as they came, still percent-encoded."""
        self.public = (scope.get("scheme", "http"), self.seen.get(b"host", ""))
        """Scheme and host under which the client reaches this gateway."""
        self.shared = False  # whether the address itself opens what is asked for
        length = self.seen.get(b"content-length", "")
        self.declared_length = int(length) if length.isdecimal() else None
        """The Content-Length, or None."""
        given = self.seen.get(b"x-request-id")
        # Not uuid4: an id is no secret, and a system call a request is dear.
        self.request_id = request_id_for(given) if given else f"{getrandbits(128):032x}"
        self.started, self.gone, self._over = False, False, False
        self.status = 499
        self.extra: Headers = []
        self.refused: ServiceError | None = None
        self.deadline: Deadline | None = None
        self._sent: Headers = []
        self.trace: Mapping[str, str] = {}  # what hands this request's span on, when there are traces
        self.failed = ""  # the code of what kept a service from answering to the end
        self._task = asyncio.current_task()
        self._watcher: asyncio.Task[None] | None = None
        self._watching: asyncio.TimerHandle | None = None
        self._max_body, self._read_bytes = max_body_bytes, 0
        self._whole = not self.has_body

    def header(self, name: bytes) -> str:
        """Return one of the headers that the gateway reads, or an empty string."""
        return self.seen.get(name, "")

    @property
    def client(self) -> str:
        """The address of whoever connected."""
        client = self.scope.get("client")
        return client[0] if client else "unknown"

    @property
    def silence_s(self) -> float | None:
        """Seconds without a byte after which OpenAI's clients give up, as they tell it in a header of their own."""
        told = self.header(b"x-stainless-read-timeout") or self.header(b"x-stainless-timeout")
        return float(told) if told.isascii() and told.replace(".", "", 1).isdigit() and float(told) else None

    @property
    def is_events(self) -> bool:
        """Whether the answer that has begun consists of events."""
        return any(n == b"content-type" and v.startswith(b"text/event-stream") for n, v in self._sent)

    @property
    def has_body(self) -> bool:
        """Whether the request comes with a body."""
        return bool(self.declared_length) or b"transfer-encoding" in self.seen

    def drop_query(self) -> None:
        """Let the query, in which a permission came, go no further."""
        self.target = self.target.partition("?")[0]

    def check_length(self) -> None:
        """Refuse a declared length over the limit before a byte is read (PayloadTooLarge)."""
        if (self.declared_length or 0) > self._max_body:
            raise self._too_large()

    async def receive(self) -> Message:
        """Receive for apps behind this exchange; counts the body against the limit, and waits for it only so long.

        Raises:
            PayloadTooLarge: the body grew over the limit. BodyStalled: it stopped.
        """
        if self.refused is not None:
            raise self.refused
        # after the body it is the client's leaving that is waited for, and that has no limit
        message = await (self._receive() if self._whole else self._more())
        self._whole = not message.get("more_body")
        if message["type"] == "http.request":
            self._read_bytes += len(message.get("body", b""))
            if self._read_bytes > self._max_body:
                # Kept as well: inside an upload it surfaces as some connection error of the client library.
                self.refused = self._too_large()
                raise self.refused
        return message

    async def _more(self) -> Message:
        try:
            async with asyncio.timeout(BODY_SILENCE_S):
                return await self._receive()
        except TimeoutError as error:
            self.refused = BodyStalled(BODY_SILENCE_S)
            raise self.refused from error

    async def chunks(self, first: Message | None = None) -> AsyncIterator[bytes]:
        """Yield the body as it comes, after what came `first`; then watch for the client leaving.

        Raises:
            ClientGone: it left in the middle. PayloadTooLarge: the body grew over the limit. BodyStalled: it stopped.
        """
        while True:
            message, first = first or await self.receive(), None
            if message["type"] == "http.disconnect":
                self._leave()
                raise ClientGone
            if message.get("body"):
                yield message["body"]
            if not message.get("more_body"):
                break
        self.watch()

    async def read(self) -> bytes:
        """Return the whole body."""
        if not self.has_body:
            self.watch()
            return b""
        first = await self.receive()
        if first["type"] == "http.request" and not first.get("more_body"):  # nearly always
            self.watch()
            return bytes(first.get("body", b""))
        return b"".join([chunk async for chunk in self.chunks(first)])

    def watch(self) -> None:
        """Cancel this request's task soon after the client has left. The body must have been read.

        Most answers are there before the watch begins: a task for each would cost a tenth of a call.
        """
        if self._watching is None:
            self._watching = asyncio.get_running_loop().call_later(_WATCH_AFTER_S, self._begin_watch)

    def _begin_watch(self) -> None:
        self._watcher = asyncio.create_task(self._await_disconnect())

    async def _await_disconnect(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._leave()

    def _leave(self) -> None:
        if not self._over and self._task is not None:
            self.gone = True
            if asyncio.current_task() is not self._task:
                self._task.cancel()

    async def start(self, status: int, headers: Headers) -> None:
        """Send status and headers."""
        self.started, self.status, self._sent = True, status, headers
        await self._send({"type": "http.response.start", "status": status, "headers": headers + self.extra})

    async def send_body(self, content: bytes, *, more: bool) -> None:
        """Send a part of the answer; waits while the client is slow."""
        if not more:
            self._over = True
        await self._send({"type": "http.response.body", "body": content, "more_body": more})

    async def respond(self, status: int, headers: Headers, content: bytes) -> None:
        """Send a whole answer, in one write where the server can."""
        if WHOLE not in self.scope.get("extensions", ()):
            await self.start(status, headers)
            await self.send_body(content, more=False)
            return
        self.started, self.status, self._sent, self._over = True, status, headers, True
        headers = headers + self.extra
        await self._send(
            {"type": "http.response.start", "status": status, "headers": headers, "body": content}
        )

    async def break_off(self, last: bytes) -> None:
        """End the answer in its middle: with a `last` event, or unfinished, which closes the connection."""
        self.failed = "broke_off"
        if last:
            await self.send_body(last, more=False)

    def own_headers(self, *, page: bool = False) -> Headers:
        """Headers that the gateway itself puts on every answer."""
        return [
            (b"x-request-id", self.request_id.encode()),
            *(page_security(self.path) if page else SHARED_SECURITY if self.shared else API_SECURITY),
        ]

    async def own_send(self, message: Message) -> None:
        """Send for apps behind this exchange; adds the request id and the security headers that they left out.

        What an app makes of half a body is dropped: `refused` says what is answered.
        """
        if self.refused is not None and not self.started:
            return
        if message["type"] == "http.response.start":
            self.started, self.status = True, message["status"]
            given = list(message.get("headers", ()))
            names = {name for name, _ in given}
            ours = [header for header in self.own_headers() if header[0] not in names]
            message["headers"] = self._sent = [*given, *ours, *self.extra]
        elif not message.get("more_body"):
            self._over = True
        await self._send(message)

    async def fail(self, error: ServiceError) -> None:
        """Answer with an error, unless an answer has begun: then the stream just ends."""
        if self.started:
            return
        content = orjson.dumps(error.body())
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(content)).encode()),
            *((n.lower().encode(), v.encode()) for n, v in error.headers().items()),
            *self.own_headers(),
        ]
        unread = self.has_body and self._watching is None
        if self.refused or (unread and not 0 < (self.declared_length or 0) <= SMALL_BODY):
            # A small body that was not read is skipped: a refusal must not cost the client its connection as well.
            headers.append((b"connection", b"close"))
        self.extra = [pair for pair in self.extra if pair[0] == b"x-cache"]
        await self.respond(error.status, headers, content)

    def close(self) -> None:
        """End the watch, and let go of it: it holds this exchange, bodies and all, which the collector would find late."""
        self._over = True
        if self._watching is not None:
            self._watching.cancel()
        if self._watcher is not None:
            self._watcher.cancel()
        self._watching = self._watcher = None

    def _too_large(self) -> PayloadTooLarge:
        return PayloadTooLarge(f"The body is over the limit of {self._max_body} bytes. Send less.")


def error_event(error: ServiceError) -> bytes:
    """Return the last event of a stream that broke."""
    body: dict[str, Any] = error.body()
    return b"event: error\ndata: " + orjson.dumps(body) + b"\n\n"
