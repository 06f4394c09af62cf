"""How many long computations of callers run at once and how many may wait. Knows nothing of what they do.

They run in threads that all calls share: without a bound a few large ones would hold up every look at a document.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from servicekit.errors import TooBusy

AT_ONCE, WAITING = 2, 32
RETRY_AFTER_S = 5.0


class Turns:
    """A bounded queue before a few places. Used on one event loop."""

    def __init__(self, at_once: int = AT_ONCE, waiting: int = WAITING):
        self._places, self._most_waiting = asyncio.Semaphore(at_once), waiting
        self._waiting = 0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a place and keep it. Raises TooBusy when too many wait."""
        if self._places.locked() and self._waiting >= self._most_waiting:
            raise TooBusy(
                f"{self._waiting} calls wait for their embeddings and {self._most_waiting} may. Try again in a moment.",
                retry_after_s=RETRY_AFTER_S,
            )
        self._waiting += 1
        try:
            await self._places.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._places.release()
