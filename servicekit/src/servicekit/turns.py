"""How many calls compute at once and how many may wait. Knows nothing of what they do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from servicekit.errors import TooBusy

RETRY_AFTER_S = 5.0


class Turns:
    """A bounded queue before a few places. Used on one event loop."""

    def __init__(self, at_once: int, most_waiting: int, what: str = "calls"):
        """`what` names in the refusal who waits, in the plural."""
        self._places, self._most_waiting, self._what = asyncio.Semaphore(at_once), most_waiting, what
        self.running = self.waiting = 0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a place and keep it. Raises TooBusy when too many wait."""
        if self._places.locked() and self.waiting >= self._most_waiting:
            raise TooBusy(
                f"{self.running} {self._what} are running, {self.waiting} wait and no more than "
                f"{self._most_waiting} may. Try again in a moment.",
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
