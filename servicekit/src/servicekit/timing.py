"""How long a request waited, loaded a model and ran: the `timing` of every JSON result."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

Phase = Literal["queue", "load", "run"]


@dataclass
class Timing:
    """Milliseconds spent in each phase of one request; not shared between threads."""

    spent_s: dict[str, float] = field(default_factory=lambda: {"queue": 0.0, "load": 0.0, "run": 0.0})

    @contextmanager
    def measure(self, phase: Phase) -> Iterator[None]:
        """Add the wall time of the block to `phase`."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.add(phase, time.perf_counter() - start)

    def add(self, phase: Phase, seconds: float) -> None:
        """Add seconds measured elsewhere."""
        self.spent_s[phase] += seconds

    def as_dict(self) -> dict[str, float]:
        """Return `{"queue_ms", "load_ms", "run_ms"}`, rounded to a tenth."""
        return {f"{phase}_ms": round(seconds * 1000, 1) for phase, seconds in self.spent_s.items()}
