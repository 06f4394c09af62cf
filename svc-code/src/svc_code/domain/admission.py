"""How many executions run at once and how many may wait. Knows nothing of what they do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from servicekit.errors import TooBusy

RETRY_AFTER_S = 5.0


class Admission:
    """A bounded queue before a few places."""

    def __init__(self, max_running: int, max_waiting: int):
        self._places = asyncio.Semaphore(max_running)
        self._max_waiting = max_waiting
        self.running = 0
        self.waiting = 0

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Wait for a place and keep it. Raises: TooBusy, when too many wait."""
        if self._places.locked() and self.waiting >= self._max_waiting:
            raise TooBusy(
                f"{self.running} executions are running and {self.waiting} wait; no more may. Try again soon.",
                retry_after_s=RETRY_AFTER_S,
            )
        self.waiting += 1
        try:
            await self._places.acquire()
        finally:
            self.waiting -= 1
        self.running += 1
        try:
            yield
        finally:
            self.running -= 1
            self._places.release()
