"""Something that this process writes piece by piece: what of it is told already, and who listens.

Readers are told an event only when it is in the database.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, Protocol

from svc_chat.engine.history import Event


class Work(Protocol):
    """What a Journal writes down."""

    @property
    def id(self) -> str:
        """Id of what is written."""
        ...

    def take(self) -> Any | None:
        """Return what came since the last time, for the database; None when nothing did."""
        ...

    def renewal(self) -> Any:
        """Return a sign of life for the database."""
        ...

    def publish(self, events: Sequence[Event]) -> None:
        """Tell readers what is now in the database."""
        ...

    def cancel(self) -> None:
        """Stop the model at once."""
        ...

    def close(self) -> None:
        """Send readers away."""
        ...


class Telling:
    """Belongs to the event loop. `told` are the events that are in the database, numbered from `first`."""

    def __init__(self, told: Sequence[Event], first: int = 0):
        self.told: list[Event] = list(told)
        self.first = first
        self.task: asyncio.Task[None] | None = None
        self.cancelled = False
        self.done = asyncio.Event()
        """Set when nothing more is told: it ended, was lost to another process, or the service stops."""
        self._changed = asyncio.Event()

    @property
    def ended(self) -> bool:
        """Whether nothing more comes."""
        raise NotImplementedError

    def publish(self, events: Sequence[Event]) -> None:
        """Tell readers what is now in the database."""
        self.told.extend(events)
        if self.ended:
            self.done.set()
        self._wake()

    def close(self) -> None:
        """Send readers away: somebody else goes on with it, or nobody does."""
        self.done.set()
        self._wake()

    def cancel(self) -> None:
        """Stop the model at once."""
        self.cancelled = True
        if self.task is not None:
            self.task.cancel()

    async def read(self, after: int = -1) -> AsyncIterator[Event]:
        """Give the events numbered above `after`, until the last."""
        place = max(0, after + 1 - self.first)
        while True:
            changed = self._changed
            while place < len(self.told):
                yield self.told[place]
                place += 1
            if self.done.is_set():
                return
            if changed is self._changed:
                await changed.wait()

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
