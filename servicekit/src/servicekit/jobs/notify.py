"""Waking the readers of a job when it changes: from worker threads to event loops of this process."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Notifier:
    """Readers subscribe to a job; `publish` wakes them from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._readers: dict[str, set[tuple[asyncio.AbstractEventLoop, asyncio.Event]]] = {}

    @contextmanager
    def subscribed(self, job_id: str) -> Iterator[asyncio.Event]:
        """Give an event that is set at each change; the reader clears it."""
        reader = (asyncio.get_running_loop(), asyncio.Event())
        with self._lock:
            self._readers.setdefault(job_id, set()).add(reader)
        try:
            yield reader[1]
        finally:
            with self._lock:
                readers = self._readers.get(job_id, set())
                readers.discard(reader)
                if not readers:
                    self._readers.pop(job_id, None)

    def publish(self, job_id: str) -> None:
        with self._lock:
            readers = list(self._readers.get(job_id, ()))
        for loop, event in readers:
            try:
                loop.call_soon_threadsafe(event.set)
            except RuntimeError:  # that loop is closed
                continue
