"""From the loop's thread to the event loop: what a step wrote, in one call. Knows no model."""

from __future__ import annotations

import asyncio

from svc_chat.engine.sequence import Item, Sink


class Outbox:
    """Gathers what readers get; `send` hands all of it over at once."""

    def __init__(self) -> None:
        self.loop: asyncio.AbstractEventLoop | None = None
        """The readers' event loop; one for a process."""
        self._items: list[tuple[Sink, Item]] = []

    def put(self, sink: Sink, item: Item) -> None:
        """Add an item for one reader."""
        self._items.append((sink, item))

    def send(self) -> None:
        """Hand over what was gathered. A call for each token would wake the event loop as often."""
        if not self._items or self.loop is None:
            return
        items, self._items = self._items, []
        try:
            self.loop.call_soon_threadsafe(_deliver, items)
        except RuntimeError:  # the event loop is closed: nobody reads any more
            return


def _deliver(items: list[tuple[Sink, Item]]) -> None:
    for sink, item in items:
        sink(item)
