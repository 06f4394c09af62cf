"""A trainer without weights, for tests: it counts steps, keeps its count, and copies a ready adapter.

Deterministic; what it wrote last is the checkpoint, as with the real one.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncGenerator, Mapping, Sequence
from pathlib import Path
from typing import Any

from svc_chat.engine.tuning.recipe import ADAPTER_FILE, CHECKPOINT_FILE, Recipe

CHECKPOINT_STEPS = 5


class FakeTrainer:
    """Trains nothing.

    Args:
        adapter: what every training makes.
        deaths: steps at which the process dies, each once, before the step is told.
        lacks: libraries that are said to be missing.
    """

    def __init__(self, adapter: Path, deaths: Sequence[int] = (), lacks: Sequence[str] = ()):
        self._adapter, self._deaths, self._lacks = adapter, list(deaths), lacks
        self.go = asyncio.Event()
        """Steps are made while it is set."""
        self.go.set()
        self.hold_at: int | None = None
        """A step before which it waits for `go`."""
        self.started: list[str] = []
        self.trained: list[tuple[str, int]] = []

    def missing(self) -> Sequence[str]:
        """Return what is said to be missing."""
        return self._lacks

    async def train(self, folder: Path, stop: asyncio.Event) -> AsyncGenerator[Mapping[str, Any], None]:
        """Count the steps; see Trainer."""
        recipe = Recipe.read(folder)
        checkpoint = folder / CHECKPOINT_FILE
        step = int(checkpoint.read_text()) if checkpoint.exists() else 0
        self.started.append(folder.name)
        yield {"kind": "loading"}
        if step == 0:
            yield {"kind": "look", "step": 0, "held_out_loss": 2.0, "drift": 0.0}
        while step < recipe.steps:
            if step + 1 == self.hold_at:
                await _first(self.go.wait(), stop.wait())
            if stop.is_set():
                checkpoint.write_text(str(step))
                yield {"kind": "stopped"}
                return
            if step + 1 in self._deaths:
                self._deaths.remove(step + 1)
                return
            step += 1
            self.trained.append((folder.name, step))
            yield {"kind": "step", "step": step, "steps": recipe.steps, "loss": 1 / step, "rate": recipe.rate,
                   "eta_s": float(recipe.steps - step), "tokens": 10 * step}  # fmt: skip
            if step % CHECKPOINT_STEPS == 0:
                checkpoint.write_text(str(step))
                yield {"kind": "look", "step": step, "held_out_loss": 1 / step, "drift": 0.0}
        shutil.copyfile(self._adapter, folder / f"step-{step}.gguf")
        yield {"kind": "checkpoint", "step": step, "file": f"step-{step}.gguf"}
        shutil.copyfile(self._adapter, folder / ADAPTER_FILE)
        yield {"kind": "done", "file": ADAPTER_FILE, "step": step, "held_out_loss": 0.1, "drift": 0.0,
               "tokens": 10 * step, "seconds": 0.1}  # fmt: skip


class FakeRoom:
    """Room without a machine.

    Args:
        refusal: is raised as long as it is set.
    """

    def __init__(self, refusal: Exception | None = None):
        self.refusal, self.asked = refusal, 0
        self.held: dict[str, int] = {}

    async def take(self, job_id: str, need_bytes: int) -> None:
        """See Room."""
        self.asked += 1
        if self.refusal is not None:
            raise self.refusal
        self.held[job_id] = need_bytes

    def give_back(self, job_id: str) -> None:
        """See Room."""
        self.held.pop(job_id, None)


async def _first(*waits: Any) -> None:
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
