"""The service's end of the one pipe into a sandbox: asks, matches answers, believes nothing.

Whatever comes out of a sandbox may have been written by the code in it. A frame that is over a limit or not
what was asked for ends the sandbox.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

from svc_code.errors import SandboxLost
from svc_code.inside import frames

LOST = "The sandbox ended: its files and variables are gone. Run the code again in a new one."
Answer = tuple[dict[str, Any], bytes]


class Pipe:
    """Carries questions and answers. Used on one event loop."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        self._reader, self._writer = reader, writer
        self._next = 0
        self._waiting: dict[int, asyncio.Future[Answer]] = {}
        self._events: dict[int, Callable[[dict[str, Any]], None]] = {}
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sending = asyncio.Lock()
        self.lost = asyncio.Event()
        self._task = asyncio.create_task(self._read())

    async def ready(self) -> None:
        """Wait until the sandbox says that its kernel answers. Raises: SandboxLost."""
        await asyncio.shield(self._ready)

    def ask(
        self,
        op: str,
        payload: bytes = b"",
        on_event: Callable[[dict[str, Any]], None] | None = None,
        **fields: Any,
    ) -> asyncio.Future[Answer]:
        """Send a question and return the future of its answer; `on_event` is told what comes before it."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        if self.lost.is_set():
            future.set_exception(SandboxLost(LOST))
            return future
        self._next += 1
        ask = self._next
        self._waiting[ask] = future
        if on_event is not None:
            self._events[ask] = on_event
        future.add_done_callback(lambda _: self._forget(ask))
        self._writer.write(frames.encode({"ask": ask, "op": op, **fields}, payload))
        return future

    async def drained(self) -> None:
        """Wait until what was asked is on its way."""
        async with self._sending:
            with contextlib.suppress(OSError):
                await self._writer.drain()

    async def close(self) -> None:
        """Close this end; the sandbox ends itself then."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._writer.close()
        self._end()

    def _forget(self, ask: int) -> None:
        self._waiting.pop(ask, None)
        self._events.pop(ask, None)

    async def _read(self) -> None:
        try:
            while True:
                head = await self._reader.readexactly(frames.HEAD.size)
                text, payload = frames.lengths(head)
                message = frames.message(await self._reader.readexactly(text))
                self._came(message, await self._reader.readexactly(payload))
        except (asyncio.IncompleteReadError, OSError, frames.BadFrame):
            pass
        finally:
            self._end()

    def _came(self, message: dict[str, Any], payload: bytes) -> None:
        event, ask = message.get("event"), message.get("ask")
        if event == "ready":
            if not self._ready.done():
                self._ready.set_result(None)
        elif not isinstance(ask, int):
            raise frames.BadFrame("no question")
        elif event == "done":
            future = self._waiting.get(ask)
            if future is not None and not future.done():
                future.set_result((message, payload))
        elif ask in self._events:
            self._events[ask](message)

    def _end(self) -> None:
        self.lost.set()
        open_ones: list[asyncio.Future[Any]] = [self._ready, *self._waiting.values()]
        for future in open_ones:
            if not future.done():
                future.set_exception(SandboxLost(LOST))
                future.exception()  # an answer nobody waits for is no mistake
