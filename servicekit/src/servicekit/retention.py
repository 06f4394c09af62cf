"""Removes by age what is not kept for ever, and tells what it removed: in the log, metrics and `/readyz`.

Owns the hourly thread. What is removed, and by which rule, is a sweep's: a function that is passed in.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from servicekit.logs import log_event

DAY_S = 86_400.0
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Removed:
    """What one sweep removed of one kind; `bytes` is 0 where it is not counted (rows of a database)."""

    items: int = 0
    bytes: int = 0

    def __add__(self, other: Removed) -> Removed:
        return Removed(self.items + other.items, self.bytes + other.bytes)


Sweep = Callable[[], Mapping[str, Removed]]
"""Removes what is too old; gives what, by kind (`media`, `jobs`, `leftovers`, …)."""


class Sweeper:
    """Runs `sweeps` at the start and then every `every_s` seconds until stopped.

    A sweep that fails is logged and tried again next time; the others run all the same.
    """

    def __init__(self, *sweeps: Sweep, every_s: float = 3600.0) -> None:
        self._sweeps = sweeps
        self._every_s = every_s
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._removed: dict[str, Removed] = {}
        self._at: float | None = None

    def start(self) -> None:
        """Begin; does nothing when it has begun."""
        if self._thread is None:
            self._stopped.clear()
            self._thread = threading.Thread(target=self._run, name="sweeper", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End the thread; waits up to 5 s for a sweep that runs."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(timeout=5)
            self._thread = None

    def removed(self) -> dict[str, Removed]:
        """Give what was removed since the start, by kind."""
        with self._lock:
            return dict(self._removed)

    def report(self) -> dict[str, Any]:
        """Give what `/readyz` tells: items and bytes by kind since the start, Unix time of the last sweep."""
        kinds = {kind: {"items": r.items, "bytes": r.bytes} for kind, r in self.removed().items()}
        return {"last_sweep_at": self._at, "removed": kinds}

    def sweep(self) -> None:
        """Run every sweep once, now."""
        for sweep in self._sweeps:
            try:
                found = sweep()
            except (
                Exception
            ) as exc:  # a library's own too: without this thread nothing would be removed any more
                log_event(log, "not swept", level=logging.WARNING, reason=type(exc).__name__)
                continue
            for kind, removed in found.items():
                with self._lock:
                    self._removed[kind] = self._removed.get(kind, Removed()) + removed
                if removed.items:
                    log_event(log, "swept", kind=kind, removed=removed.items, freed_bytes=removed.bytes)
        self._at = time.time()

    def _run(self) -> None:
        while True:
            self.sweep()
            if self._stopped.wait(self._every_s):
                return
