"""An answer written down as it comes, so that any number of clients get it from its first byte.

The call behind it runs in a task of its own: the client who caused it may leave, and the others do not notice.
Bounded: past `most_bytes` the beginning is let go, nobody can join any more, and the slowest reader sets the pace.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from gateway.api.exchange import Exchange, Headers
from servicekit.errors import InternalError, ServiceError

Settle = Callable[["Recording"], Awaitable[None]]
log = logging.getLogger(__name__)


class Recording:
    """One answer under way. For one event loop.

    Args:
        most_bytes: how much of the body is kept.
        outlives: whether the call goes on when no client waits for it any more.
        settle: awaited when the answer is whole, before any client gets its end.
    """

    def __init__(self, most_bytes: int, *, outlives: bool = False, settle: Settle | None = None):
        self.started = False
        self.status, self.headers = 0, Headers()
        self.whole = True
        """Whether the body is kept from its first byte."""
        self.complete = False
        """Whether the answer came to its end."""
        self.replayed = False
        """Whether it was kept from an earlier call."""
        self._most_bytes, self._outlives, self._settle = most_bytes, outlives, settle
        self._parts: list[bytes] = []
        self._size = self._dropped = 0
        self._at: dict[Exchange, int] = {}
        self._over = self._ends = False
        self._error: ServiceError | None = None
        self._task: asyncio.Task[None] | None = None
        self._changed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def body(self) -> bytes:
        """The body so far; all of it if `whole`."""
        return b"".join(self._parts)

    @property
    def joinable(self) -> bool:
        """Whether one more client can still get the whole answer."""
        return self.whole and not (self._task is not None and self._task.cancelling())

    def run(self, work: Callable[[], Awaitable[None]], then: Callable[[], object]) -> None:
        """Let `work` write this answer, whoever reads it; `then` is called when it has ended, however."""

        def ended(task: asyncio.Task[None]) -> None:
            if task.cancelled():
                self._error = InternalError("The call was ended before it was answered. Send it again.")
            self._over = True
            self._tell()
            then()

        self._task = asyncio.create_task(self._write(work))
        self._task.add_done_callback(ended)

    async def _write(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except ServiceError as error:
            self._error = error
        except Exception:
            log.exception("unexpected error")
            self._error = InternalError("Something broke here. The log has the request id.")

    async def start(self, status: int, headers: Headers) -> None:
        """Take status and headers."""
        self.started, self.status, self.headers = True, status, headers
        self._tell()

    async def respond(self, status: int, headers: Headers, content: bytes) -> None:
        """Take a whole answer."""
        self.started, self.status, self.headers = True, status, headers
        await self.send_body(content, more=False)

    async def send_body(self, content: bytes, *, more: bool) -> None:
        """Take a part of the body; waits for the slowest reader once more than `most_bytes` came."""
        if content:
            self._parts.append(content)
            self._size += len(content)
        if self._size > self._most_bytes:
            self.whole = False
        if not more:
            self.complete = True
            if self._settle is not None:
                await self._settle(self)
            self._over = True
        self._tell()
        if more and not self.whole:
            await self._keep_pace()

    async def break_off(self, last: bytes) -> None:
        """End the answer in its middle; `last` is an event that says so, where it consists of events."""
        if last:
            self._parts.append(last)
            self._ends = True

    async def _keep_pace(self) -> None:
        while True:
            behind = min(self._at.values(), default=self._dropped + len(self._parts))
            del self._parts[: behind - self._dropped]
            self._dropped = behind
            if sum(map(len, self._parts)) <= self._most_bytes:
                return
            await asyncio.shield(self._changed)

    async def tell(
        self, x: Exchange, extra: Callable[[], Headers] = list, *, start_within_s: float | None = None
    ) -> None:
        """Pass the answer to a client, from its first byte to its last, with `extra` headers.

        Raises:
            TimeoutError: it has not begun after `start_within_s` seconds.
            ServiceError: the call failed before it began.
        """
        self._at[x] = 0
        try:
            async with asyncio.timeout(start_within_s):
                while not self.started and not self._over:
                    await asyncio.shield(self._changed)
            if self._error is not None and not self.started:
                raise self._error
            headers = [*self.headers, *extra(), *x.own_headers()]
            if self._over and self.complete and self.whole:
                await x.respond(self.status, headers, self.body)
                return
            await x.start(self.status, headers)
            await self._follow(x)
        finally:
            del self._at[x]
            self._tell()
            if not self._at and not self._outlives and self._task is not None and not self._over:
                self._task.cancel()

    async def _follow(self, x: Exchange) -> None:
        while True:
            while (n := self._at[x] - self._dropped) < len(self._parts):
                await x.send_body(self._parts[n], more=True)
                self._at[x] += 1
                if not self.whole:
                    self._tell()
            if self._over:
                break
            await asyncio.shield(self._changed)
        if self.complete or self._ends:
            await x.send_body(b"", more=False)
        # Otherwise the answer stays unfinished, and the client sees it.

    def _tell(self) -> None:
        if not self._changed.done():
            self._changed.set_result(None)
        if not self._over:
            self._changed = asyncio.get_running_loop().create_future()
