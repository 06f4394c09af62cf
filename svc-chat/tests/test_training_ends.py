"""Trainings that are paused, cancelled or disturbed at an awkward moment: nothing is lost and nothing left over."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from svc_chat.domain.tuning.runner import TuningRunner
from svc_chat.domain.tuning.service import TuningService
from svc_chat.engine.database import open_database
from svc_chat.engine.history import Page
from svc_chat.engine.tuning.base import TuningJob
from svc_chat.engine.tuning.fake import FakeRoom
from svc_chat.engine.tuning.models import TrainedModels
from svc_chat.engine.tuning.recipe import ADAPTER_FILE, EXAMPLES_FILE
from svc_chat.engine.tuning.store import SqlTuning

STEP = {"kind": "step", "step": 1, "steps": 2, "loss": 1.0, "rate": 0.1, "eta_s": 1.0, "tokens": 5}
DONE = {
    "kind": "done",
    "file": ADAPTER_FILE,
    "step": 2,
    "held_out_loss": 0.1,
    "drift": 0.0,
    "tokens": 9,
    "seconds": 1,
}


@dataclass
class Scripted:
    """A trainer that offers a model on the way, waits, and then does what is left of its script."""

    after: list[Mapping[str, Any]] = field(default_factory=lambda: [DONE])
    refusals: int = 0
    waits: asyncio.Event = field(default_factory=asyncio.Event)
    go: asyncio.Event = field(default_factory=asyncio.Event)

    def missing(self) -> Sequence[str]:
        return ()

    async def train(self, folder: Path, stop: asyncio.Event) -> AsyncGenerator[Mapping[str, Any], None]:
        if self.refusals:
            self.refusals -= 1
            raise BlockingIOError(11, "no process can be started")
        assert (folder / EXAMPLES_FILE).exists()
        yield STEP
        (folder / "step-1.gguf").touch()
        yield {"kind": "checkpoint", "step": 1, "file": "step-1.gguf"}
        self.waits.set()
        await self.go.wait()
        (folder / ADAPTER_FILE).touch()
        for report in self.after:
            yield report


@dataclass
class House:
    """The parts of a service that train, without HTTP and without models."""

    service: TuningService
    trainer: Scripted
    store: SqlTuning
    folder: Path

    async def queue(self, job_id: str = "ftjob-1") -> None:
        (self.folder / job_id).mkdir(parents=True)
        (self.folder / job_id / EXAMPLES_FILE).touch()
        job = TuningJob(job_id, "ana", "queued", "tiny", f"ft:tiny::{job_id}", 1.0, kind="file", steps=2,
                        details={"memory_bytes": 7})  # fmt: skip
        await asyncio.to_thread(self.store.add, job, 9)
        self.service.runner.wake()

    async def half_way(self) -> None:
        async with asyncio.timeout(120):
            await self.trainer.waits.wait()

    async def until(self, status: str, job_id: str = "ftjob-1") -> TuningJob:
        async with asyncio.timeout(120):
            while (job := await self.service.get("ana", job_id)).status != status:
                await self.service.runner.changed(0.1)
        return job


@asynccontextmanager
async def house(folder: Path, trainer: Scripted, room: FakeRoom | None = None) -> AsyncIterator[House]:
    store = SqlTuning(open_database(f"sqlite:///{folder}/chat.db"))
    trained = TrainedModels(store, folder / "training")
    runner = TuningRunner(store, trainer, trained, folder / "training", room or FakeRoom())
    none: Any = None
    service = TuningService(
        store, runner, none, none, trained, folder=folder / "training", train_base="", most_waiting=9
    )
    await runner.start()
    try:
        yield House(service, trainer, store, folder / "training")
    finally:
        await runner.close()


async def test_a_training_that_is_paused_while_it_ends_keeps_what_it_made(tmp_path: Path) -> None:
    async with house(tmp_path, Scripted()) as here:
        await here.queue()
        await here.half_way()
        await here.service.pause("ana", "ftjob-1")
        here.trainer.go.set()
        job = await here.until("succeeded")
        assert job.model_id in {model.id for model in here.store.models()}


async def test_a_cancelled_training_takes_its_checkpoints_out_of_the_models(tmp_path: Path) -> None:
    async with house(tmp_path, Scripted()) as here:
        await here.queue()
        await here.half_way()
        assert len(here.store.models()) == 1
        await here.service.cancel("ana", "ftjob-1")
        assert here.store.models() == []
        assert await here.service.checkpoints("ana", "ftjob-1") == []


async def test_a_machine_that_cannot_start_a_process_delays_trainings_only(tmp_path: Path) -> None:
    async with house(tmp_path, Scripted(refusals=2)) as here:
        here.trainer.go.set()
        await here.queue()
        await here.until("succeeded")


async def test_a_training_that_is_just_being_planned_is_no_leftover(tmp_path: Path) -> None:
    planned, left = tmp_path / "training" / "ftjob-new", tmp_path / "training" / "ftjob-old"
    for folder in (planned, left):
        folder.mkdir(parents=True)
    os.utime(left, (1.0, 1.0))
    async with house(tmp_path, Scripted()) as here, asyncio.timeout(120):
        while left.exists():
            await here.service.runner.changed(0.05)
    assert planned.exists()


async def test_events_after_a_number_beyond_all_are_none(tmp_path: Path) -> None:
    async with house(tmp_path, Scripted()) as here:
        await here.queue()
        found = await here.service.events("ana", "ftjob-1", Page(10, "9" * 30, newest_first=False))
        assert found.rows == ()
