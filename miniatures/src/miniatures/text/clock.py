"""How long a training has taken, over all its stops, and when to write a checkpoint.

Processor seconds are what a run costs; wall clock depends on who else uses the machine.
"""

from __future__ import annotations

import time
from typing import Protocol

SAVE_EVERY_S = 60.0


class Record(Protocol):
    """What checkpoints keep of the time."""

    seconds: float
    cpu_seconds: float


class Clock:
    """Adds up wall clock and processor time in a record."""

    def __init__(self, record: Record) -> None:
        self._record = record
        self._wall, self._cpu, self._saved = time.monotonic(), time.process_time(), time.monotonic()

    def tick(self) -> None:
        """Add what has passed since the last tick."""
        wall, cpu = time.monotonic(), time.process_time()
        self._record.seconds += wall - self._wall
        self._record.cpu_seconds += cpu - self._cpu
        self._wall, self._cpu = wall, cpu

    def save_is_due(self) -> bool:
        """Say, about once a minute, that it is time to save."""
        now = time.monotonic()
        if now - self._saved < SAVE_EVERY_S:
            return False
        self._saved = now
        return True
