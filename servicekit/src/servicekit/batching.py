"""Gathers the work of concurrent requests into one call of the model.

Owns one thread, a bounded queue and the window in which items are gathered. Knows nothing about what
an item is, but whether two are of one kind. A client that left (a cancelled future) gives its place back.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Generic, TypeVar

from servicekit.errors import NotReady, TooBusy

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Waited(Generic[R]):
    """A result and the seconds its item waited before the batch began."""

    value: R
    queue_s: float


class Batcher(Generic[T, R]):
    """Run items in batches on one thread.

    Args:
        run: gets 1 to `max_batch` items of one kind and returns as many results, in order; what it raises all of
            them get.
        kind: tells what may go together, such as the model that is asked; the kind that waited longest comes first.
        window_s: seconds to wait for company after the first item came (3 to 5 ms cost little and
            gather what arrives together).
        queue_limit: items that may wait; more are refused with TooBusy.
    """

    def __init__(
        self,
        run: Callable[[list[T]], list[R]],
        *,
        kind: Callable[[T], Hashable] = lambda _: None,
        max_batch: int = 64,
        window_s: float = 0.004,
        queue_limit: int = 512,
        name: str = "batcher",
    ) -> None:
        self._run, self._kind = run, kind
        self._max_batch = max_batch
        self._window_s = window_s
        self._queue_limit = queue_limit
        self._name = name
        self._waiting: deque[tuple[T, Future[Waited[R]], float]] = deque()
        self._running = 0
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False

    def submit(self, items: Sequence[T]) -> list[Future[Waited[R]]]:
        """Queue all items or none.

        A request larger than the whole queue is taken when nobody else waits.

        Raises:
            TooBusy: the queue is full.
        """
        now = time.monotonic()
        entries: list[tuple[T, Future[Waited[R]], float]] = [(item, Future(), now) for item in items]
        with self._changed:
            if self._closed:
                raise NotReady("The service is shutting down. Try again after the restart.")
            if len(self._waiting) + len(entries) > self._queue_limit:
                self._drop_cancelled()
            if self._waiting and len(self._waiting) + len(entries) > self._queue_limit:
                raise TooBusy(
                    f"{len(self._waiting)} items are waiting and the queue holds {self._queue_limit}. "
                    "Try again in a moment."
                )
            self._waiting.extend(entries)
            if self._thread is None:
                self._thread = threading.Thread(target=self._loop, name=self._name, daemon=True)
                self._thread.start()
            self._changed.notify_all()
        return [future for _, future, _ in entries]

    def counts(self) -> dict[str, int]:
        """Count items that are `running` and `waiting`."""
        with self._changed:
            self._drop_cancelled()
            return {"running": self._running, "waiting": len(self._waiting)}

    def close(self) -> None:
        """Refuse new items, cancel those that wait and let the running batch end."""
        with self._changed:
            self._closed = True
            left = list(self._waiting)
            self._waiting.clear()
            self._changed.notify_all()
            thread = self._thread
        for _, future, _ in left:
            future.cancel()
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout=5)

    def _drop_cancelled(self) -> None:
        """Let go of items whose clients left, caller holds the lock: the batch that runs may take long."""
        self._waiting = deque(entry for entry in self._waiting if not entry[1].cancelled())

    def _loop(self) -> None:
        while (batch := self._gather()) is not None:
            if batch:
                self._run_batch(batch)

    def _gather(self) -> list[tuple[T, Future[Waited[R]], float]] | None:
        """Wait for a first item, then for the window or a full batch; None when closed."""
        with self._changed:
            while not self._waiting and not self._closed:
                self._changed.wait()
            if self._closed:
                return None
            until = time.monotonic() + self._window_s
            while len(self._waiting) < self._max_batch and (left := until - time.monotonic()) > 0:
                self._changed.wait(left)
            batch = [entry for entry in self._take() if entry[1].set_running_or_notify_cancel()]
            self._running = len(batch)
            return batch

    def _take(self) -> list[tuple[T, Future[Waited[R]], float]]:
        """Take the first item out and those of its kind, caller holds the lock."""
        taken: list[tuple[T, Future[Waited[R]], float]] = []
        left: deque[tuple[T, Future[Waited[R]], float]] = deque()
        kind = self._kind(self._waiting[0][0]) if self._waiting else None
        for entry in self._waiting:
            fits = len(taken) < self._max_batch and self._kind(entry[0]) == kind
            (taken if fits else left).append(entry)
        self._waiting = left
        return taken

    def _run_batch(self, batch: list[tuple[T, Future[Waited[R]], float]]) -> None:
        started = time.monotonic()
        try:
            results = self._run([item for item, _, _ in batch])
            for (_, future, since), result in zip(batch, results, strict=True):
                future.set_result(Waited(result, started - since))
        except Exception as exc:
            for _, future, _ in batch:
                if not future.done():
                    future.set_exception(exc)
        finally:
            with self._changed:
                self._running = 0
