"""Ends answers properly when the service is told to stop. Knows no model: it bounds the wait for the next piece."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TypeVar

T = TypeVar("T")


class Drained(Exception):
    """The time that running answers had after the stop signal is over."""


class Drain:
    """One for a service: before `begin` nothing is bounded, after it everything ends in time."""

    def __init__(self) -> None:
        self._ends_at: float | None = None
        self._waits: set[asyncio.Timeout] = set()

    def begin(self, seconds: float) -> None:
        """Give what runs `seconds` more. Called in the event loop's thread."""
        self._ends_at = asyncio.get_running_loop().time() + seconds
        for wait in self._waits:
            wait.reschedule(self._ends_at)

    async def next(self, pieces: AsyncIterator[T]) -> T:
        """Return the next piece.

        Raises:
            Drained: the time is over.
            StopAsyncIteration: there is none.
        """
        wait = asyncio.timeout_at(self._ends_at)
        try:
            async with wait:
                self._waits.add(wait)
                return await anext(pieces)
        except TimeoutError as error:
            if wait.expired():
                raise Drained from error
            raise
        finally:
            self._waits.discard(wait)
