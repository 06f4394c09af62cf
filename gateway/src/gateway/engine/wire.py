"""HTTP/1.1 to the services over connections that are kept: the part of a client that most calls need, and no more.

For calls with a whole body or none; uploads that stream go through aiohttp. llhttp (httptools) reads the answers. An
answer here looks like aiohttp's as far as it is used, and its errors are aiohttp's. For one event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from functools import cached_property

import aiohttp
import httptools
from yarl import URL

_KEEP_S = 15.0
"""Shorter than any service's keep-alive, so that no call is sent into a closing connection."""
_KEEP_MOST = 256
"""Idle connections kept for one service."""
_HEAD_BYTES = 64 * 1024
"""Longest head of an answer."""
_BUFFER_BYTES = 256 * 1024
"""Read ahead of a slow client; then the service has to wait."""
_BODILESS = frozenset({"GET", "HEAD", "DELETE", "OPTIONS"})


class Unreachable(aiohttp.ClientConnectionError):
    """No connection came about, so nothing was sent."""


class Garbled(aiohttp.ClientError):
    """What came is no HTTP."""


class Answer:
    """One answer: first its head comes, then its body. It owns all that is known of the call.

    The connection knows it only until it is complete: from then on another call may have the connection.
    """

    def __init__(self, connection: Connection):
        self.connection: Connection | None = connection
        """Where the rest comes from; None when nothing more comes."""
        self.status = 0
        self.raw_headers: list[tuple[bytes, bytes]] = []
        """Names in lower case."""
        self._loop = asyncio.get_running_loop()
        self.head: asyncio.Future[None] = self._loop.create_future()
        self._waiter: asyncio.Future[None] | None = None
        self._error: BaseException | None = None
        self._parts: list[bytes] = []
        self._size = 0

    @property
    def content(self) -> Answer:
        """Where the body is read. No attribute: an answer that holds itself waits for the garbage collector."""
        return self

    @cached_property
    def headers(self) -> dict[str, str]:
        """The headers, names in lower case; of several of a name the last."""
        return {n.decode("latin-1"): v.decode("latin-1") for n, v in self.raw_headers}

    @property
    def content_length(self) -> int | None:
        """The declared length."""
        length = b""
        for name, value in self.raw_headers:
            if name == b"content-length":
                length = value
        return int(length) if length.isdigit() else None

    @property
    def content_type(self) -> str:
        """The type without its parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    async def readany(self) -> bytes:
        """Return what has come, at least a byte; nothing at the end.

        Raises:
            ClientError, TimeoutError: it will not come to its end.
        """
        while not self._parts:
            if self._error is not None:
                raise self._error
            if self.connection is None:
                return b""
            self._waiter = self._loop.create_future()
            await self._waiter
        content = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        self._parts.clear()
        self._size = 0
        if self.connection is not None:
            self.connection.resume()
        return content

    async def iter_any(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes."""
        while content := await self.readany():
            yield content

    async def read(self) -> bytes:
        """Return the whole body."""
        content = await self.readany()
        if self.connection is None and self._error is None and not self._parts:  # nearly always
            return content
        return content + b"".join([part async for part in self.iter_any()])

    def begin(self, status: int) -> None:
        """Take in that the head is complete."""
        self.status = status
        if not self.head.done():
            self.head.set_result(None)

    def add(self, content: bytes) -> bool:
        """Take in a part of the body; tell whether enough is here for now."""
        self._parts.append(content)
        self._size += len(content)
        self._wake()
        return self._size > _BUFFER_BYTES

    def end(self, error: BaseException | None = None) -> None:
        """Take in that nothing more comes: it is complete, or `error` cut it short."""
        self.connection, self._error = None, error
        if error is not None and not self.head.done():
            self.head.set_exception(error)
        self._wake()

    def close(self) -> None:
        """Cut it short: the service sees at once that nobody listens."""
        if self.connection is not None:
            self.connection.abort()

    def release(self) -> None:
        """Done with it, at its end or not."""
        self.close()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Connection(asyncio.Protocol):
    """One connection: sends a request, reads its answer, and then may be used again."""

    def __init__(self, idle: list[Connection]):
        self._loop, self._idle = asyncio.get_running_loop(), idle
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._answer: Answer | None = None
        """The answer that is under way."""
        self._broken = False
        self._timer: asyncio.TimerHandle | None = None
        """Looks for silence. It runs on from call to call, for stopping and starting it would cost each of them."""
        self._rings_at = 0.0
        self._head_bytes, self._heard_at, self._silence_s = 0, 0.0, 0.0
        self._paused = self._bodiless = False
        self.idle_since = 0.0

    @property
    def usable(self) -> bool:
        """Whether another request can be sent."""
        return not self._broken and self._loop.time() - self.idle_since < _KEEP_S

    async def ask(self, request: bytes, *, bodiless: bool, silence_s: float) -> Answer:
        """Send a request and return its answer when the head is here. Raises as `Wire.request`."""
        if self._transport is None or self._broken:
            raise aiohttp.ServerDisconnectedError()
        answer = self._answer = Answer(self)
        self._head_bytes, self._bodiless = 0, bodiless
        self._silence_s, self._heard_at = silence_s, self._loop.time()
        if self._timer is None or self._heard_at + silence_s < self._rings_at:
            self._look_again_in(silence_s)
        self._transport.write(request)
        try:
            await answer.head
        except BaseException:
            answer.close()
            raise
        return answer

    def resume(self) -> None:
        """Read on: there is room again."""
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()

    def abort(self) -> None:
        """Close at once."""
        self._fail(aiohttp.ServerDisconnectedError())

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        """Read what came; bytes that nobody asked for end the connection."""
        self._heard_at = self._loop.time()
        if self._answer is None or self._head_bytes > _HEAD_BYTES:
            self._fail(Garbled())
            return
        if not self._answer.status:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._fail(Garbled(type(error).__name__))

    def on_message_begin(self) -> None:
        """An answer begins; one that nobody asked for must not pass for the answer to the next request."""
        if self._answer is None:
            self._fail(Garbled())

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take in a header, or a trailer, which is dropped."""
        if self._answer is not None and not self._answer.status:
            self._answer.raw_headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """The head is here, or that of a hint that comes before it."""
        status = self._parser.get_status_code()
        if self._answer is None:
            return
        if status < 200:
            self._answer.raw_headers.clear()
            return
        self._head_bytes = 0
        self._answer.begin(status)
        if self._bodiless:  # the parser does not know that nothing follows a HEAD
            self._finish(keep=False)

    def on_body(self, content: bytes) -> None:
        """Pass a part of the body on."""
        if self._answer is not None and self._answer.add(content) and not self._paused:
            self._paused = True
            assert self._transport is not None
            self._transport.pause_reading()

    def on_message_complete(self) -> None:
        """The answer has come to its end; after a hint it is still to come."""
        if self._answer is not None and self._answer.status:
            self._finish(keep=self._parser.should_keep_alive())

    def connection_lost(self, exc: Exception | None) -> None:
        """End what is under way: well where only the end of the connection tells the end of the answer."""
        answer = self._answer
        if answer is not None and answer.status and exc is None and not self._broken:
            chunked = "chunked" in answer.headers.get("transfer-encoding", "").lower()
            if answer.content_length is None and not chunked:
                self._finish(keep=False)
        self._fail(exc if isinstance(exc, OSError) else aiohttp.ServerDisconnectedError())
        del self._parser  # it holds this connection

    def _finish(self, *, keep: bool) -> None:
        assert self._answer is not None
        answer, self._answer = self._answer, None
        answer.end()
        if keep and not self._broken and len(self._idle) < _KEEP_MOST:
            self.resume()
            self.idle_since = self._loop.time()
            self._idle.append(self)
        else:
            self._fail(aiohttp.ServerDisconnectedError())

    def _fail(self, error: BaseException) -> None:
        if not self._broken:
            self._broken = True
            if self in self._idle:
                self._idle.remove(self)
            if self._timer is not None:
                self._timer.cancel()
            if self._transport is not None:
                self._transport.abort()
        if self._answer is not None:
            answer, self._answer = self._answer, None
            answer.end(error)

    def _look_again_in(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._rings_at = self._loop.time() + seconds
        self._timer = self._loop.call_later(seconds, self._look_for_silence)

    def _look_for_silence(self) -> None:
        self._timer = None
        if self._answer is None:  # the next call winds it up
            return
        left_s = self._heard_at + self._silence_s - self._loop.time()
        if self._paused:  # it is us who do not listen
            left_s = self._silence_s
        if left_s > 0:
            self._look_again_in(left_s)
        else:
            self._fail(TimeoutError())


class Wire:
    """The kept connections to all services."""

    def __init__(self, connect_timeout_s: float):
        self._connect_timeout_s = connect_timeout_s
        self._idle: dict[str, list[Connection]] = {}
        self._origins: dict[str, tuple[str, int, str]] = {}

    async def request(
        self,
        base: str,
        method: str,
        target: str,
        headers: Iterable[tuple[str, str]],
        body: bytes | None,
        silence_s: float,
    ) -> Answer:
        """Send a call to the server at `base` and return its answer when the head is here.

        Raises:
            Unreachable: nothing was sent. ClientConnectionError: the connection broke.
            TimeoutError: nothing came for `silence_s`. Garbled: what came is no HTTP.
        """
        host, port, prefix = self._origins.get(base) or self._origin(base)
        request = _request(method, prefix + target, f"{host}:{port}", headers, body)
        connection = self._kept(base) or await self._connect(base, host, port)
        return await connection.ask(request, bodiless=method == "HEAD", silence_s=silence_s)

    def close(self) -> None:
        """Close the idle connections."""
        for idle in self._idle.values():
            for connection in list(idle):
                connection.abort()

    def _origin(self, base: str) -> tuple[str, int, str]:
        url = URL(base)
        origin = url.raw_host or "", url.port or 80, url.raw_path.rstrip("/")
        self._origins[base] = origin
        return origin

    def _kept(self, base: str) -> Connection | None:
        idle = self._idle.setdefault(base, [])
        while idle:
            connection = idle.pop()
            if connection.usable:
                return connection
            connection.abort()
        return None

    async def _connect(self, base: str, host: str, port: int) -> Connection:
        idle, loop = self._idle[base], asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._connect_timeout_s):
                return (await loop.create_connection(lambda: Connection(idle), host, port))[1]
        except (OSError, TimeoutError) as error:
            raise Unreachable(type(error).__name__) from error


def _request(
    method: str, target: str, host: str, headers: Iterable[tuple[str, str]], body: bytes | None
) -> bytes:
    """Write a request. What would end a header early is refused (ValueError): nobody adds a request to it."""
    lines = [f"{method} {target} HTTP/1.1", f"host: {host}", *[f"{name}: {value}" for name, value in headers]]
    if body is not None or method not in _BODILESS:
        lines.append(f"content-length: {len(body or b'')}")
    head = "\r\n".join(lines)
    if head.count("\n") != len(lines) - 1 or head.count("\r") != len(lines) - 1 or "\0" in head:
        raise ValueError("a header holds a line break")
    return head.encode("latin-1") + b"\r\n\r\n" + (body or b"")
