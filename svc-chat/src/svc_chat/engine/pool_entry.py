"""What the model pool keeps of each file: what can be asked for, and how its memory counts.

Knows nothing about budgets: `pool.py` decides who may be in memory.
"""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from servicekit.models import ModelSlot
from servicekit.models.slot import SlotState

T = TypeVar("T")


@dataclass(frozen=True)
class ModelFile:
    """One name that can be asked for: a GGUF file, perhaps with an adapter on top.

    Names with the same `path` share one loaded model. `memory_bytes` is what it takes at most, loaded with all its
    adapters; `version` changes when the file does.
    """

    id: str
    path: Path
    adapter_path: Path | None = None
    memory_bytes: int = 0
    version: object = None
    problem: str | None = None
    """Why it cannot be loaded at all."""


@dataclass
class Entry(Generic[T]):
    """One file's slot and what the pool knows of it beside the slot's own state."""

    file: ModelFile
    slot: ModelSlot[T]
    loaded_version: object = None
    promised_bytes: int = 0
    """What its load was granted; the file may have changed since."""
    wanted: int = 0
    """Requests that wait for it: it is not freed between its load and their turn."""
    job: Future[None] | None = None
    starting: bool = False
    """Its load has begun to take memory."""

    @property
    def idle(self) -> bool:
        return self.slot.state == "ready" and not self.slot.users and not self.wanted and self.job is None

    @property
    def committed(self) -> bool:
        """Whether memory is promised to it."""
        return self.job is not None or self.slot.state in ("loading", "ready")

    @property
    def resident(self) -> bool:
        """Whether it takes memory now."""
        return self.starting or self.slot.state in ("loading", "ready", "unloading")

    @property
    def state(self) -> SlotState:
        """The slot's state; a load that waits for memory is loading too."""
        return "loading" if self.job is not None and self.slot.state != "ready" else self.slot.state

    @property
    def stale(self) -> bool:
        """Whether what is in memory is not of the file's present version."""
        return self.loaded_version != self.file.version
