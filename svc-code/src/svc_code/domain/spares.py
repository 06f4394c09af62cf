"""Sandboxes started ahead, so that a new session need not wait for Python to import its libraries."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from servicekit.logs import log_event
from svc_code.engine.base import Host, Sandbox
from svc_code.errors import SandboxOff

RETRY_S = 60.0
"""Seconds after which a machine that could start no sandbox is tried again."""
log = logging.getLogger(__name__)


class Spares:
    """Keeps `count` sandboxes waiting. `on_start` is told after each start how it went: None, or why not."""

    def __init__(
        self,
        host: Host,
        count: int,
        on_start: Callable[[str | None], None],
        clock: Callable[[], float] = time.monotonic,
    ):
        self._host, self._count, self._on_start, self._clock = host, count, on_start, clock
        self._rest_until = float("-inf")
        self._starting: set[asyncio.Task[None]] = set()
        self._waiting: list[Sandbox] = []
        self._closed = False

    def fill(self) -> None:
        """Start what is missing, in the background; after a failure not before some time has passed."""
        self._waiting = [sandbox for sandbox in self._waiting if sandbox.alive]
        if self._clock() < self._rest_until:
            return
        while not self._closed and len(self._waiting) + len(self._starting) < self._count:
            self._begin()

    async def probe(self) -> None:
        """Start one now, kept if spares are kept: whether it starts is what `on_start` is told."""
        self.fill()
        await asyncio.gather(*(self._starting or [self._begin()]), return_exceptions=True)

    async def take(self) -> Sandbox:
        """Return a sandbox: one that waits, one that is on its way, or a new one. Raises: SandboxOff."""
        if not self._waiting and self._starting:
            await asyncio.wait(set(self._starting), return_when=asyncio.FIRST_COMPLETED)
        while self._waiting:
            sandbox = self._waiting.pop()
            if sandbox.alive:
                self.fill()
                return sandbox
        sandbox = await self._start()
        self.fill()
        return sandbox

    async def close(self) -> None:
        """End all that wait or are on their way."""
        self._closed = True
        starting = list(self._starting)
        for task in starting:
            task.cancel()
        await asyncio.gather(*starting, return_exceptions=True)
        await asyncio.gather(*(sandbox.close() for sandbox in self._waiting), return_exceptions=True)
        self._waiting.clear()

    def _begin(self) -> asyncio.Task[None]:
        task = asyncio.create_task(self._start_spare())
        self._starting.add(task)
        task.add_done_callback(self._starting.discard)
        return task

    async def _start_spare(self) -> None:
        try:
            sandbox = await self._start()
        except SandboxOff as problem:
            self._rest_until = self._clock() + RETRY_S
            log_event(log, "no sandbox", level=logging.WARNING, reason=problem.message)
            return
        if self._closed or len(self._waiting) >= self._count:
            await sandbox.close()
        else:
            self._waiting.append(sandbox)

    async def _start(self) -> Sandbox:
        try:
            sandbox = await self._host.start()
        finally:
            self._on_start(self._host.problem())
        return sandbox
