"""A training begins in the very moment at which a text is given, or a pause asked for: both hold, and nothing twice."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest

from servicekit.errors import NotReady
from svc_chat.domain.tuning.runner import TuningRunner
from svc_chat.domain.tuning.service import TuningService
from svc_chat.engine.database import open_database
from svc_chat.engine.history import Page
from svc_chat.engine.tuning.base import PLAN, TuningJob
from svc_chat.engine.tuning.examples import read_examples
from svc_chat.engine.tuning.fake import FakeRoom, FakeTrainer
from svc_chat.engine.tuning.folders import TrainingFolders
from svc_chat.engine.tuning.models import TrainedModels
from svc_chat.engine.tuning.planner import LocalPlanner
from svc_chat.engine.tuning.recipe import EXAMPLES_FILE
from svc_chat.engine.tuning.store import SqlTuning

from .test_training_joined import CHATML, planner


class Watched(asyncio.Lock):
    """Counts who waits for it."""

    waiting = 0

    async def acquire(self) -> Literal[True]:
        self.waiting += 1
        try:
            return await super().acquire()
        finally:
            self.waiting -= 1


async def soon(waited: Awaitable[Any]) -> None:
    """Wait for what comes, but not for ever."""
    async with asyncio.timeout(60):
        await waited


class Door(FakeRoom):
    """Gives memory once it is opened: until then a training is about to begin."""

    def __init__(self) -> None:
        super().__init__()
        self.waits, self.opened = asyncio.Event(), asyncio.Event()

    async def take(self, job_id: str, need_bytes: int) -> None:
        self.waits.set()
        await self.opened.wait()
        await super().take(job_id, need_bytes)


@dataclass
class House:
    """A service whose trainings begin when the door is opened, and stop before step 8 until they are let go."""

    service: TuningService
    runner: TuningRunner
    trainer: FakeTrainer
    door: Door
    store: SqlTuning
    folder: Path
    starting: Watched

    async def about_to_begin(self) -> TuningJob:
        _, job = await self.service.train("ana", "P: a\nR: b")
        await soon(self.door.waits.wait())
        return job

    async def ended(self, job_id: str) -> TuningJob:
        self.door.opened.set()
        self.trainer.go.set()
        async with asyncio.timeout(60):
            while not (job := await self.service.get("ana", job_id)).final:
                await self.runner.changed(0.05)
        return job

    async def waits_or(self, happened: Callable[[], bool]) -> None:
        """Wait until somebody waits for who is at it, or what must not happen before that has happened."""
        async with asyncio.timeout(60):
            while not self.starting.waiting and not await asyncio.to_thread(happened):
                await self.runner.changed(0.01)

    def waits_meanwhile_or(self, loop: asyncio.AbstractEventLoop, happened: Callable[[], bool]) -> None:
        """Open the door, and do the same as `waits_or` in a thread."""
        loop.call_soon_threadsafe(self.door.opened.set)
        asyncio.run_coroutine_threadsafe(self.waits_or(happened), loop).result()

    def folders(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())

    async def jobs(self) -> Sequence[TuningJob]:
        return (await self.service.list("ana", Page(9))).rows

    def examples(self, job_id: str) -> int:
        return len(list(read_examples(self.folder / job_id / EXAMPLES_FILE)))


@pytest.fixture
async def house(
    tmp_path: Path, write_model: Callable[..., Path], write_adapter: Callable[..., Path]
) -> AsyncIterator[House]:
    store, folder = SqlTuning(open_database(f"sqlite:///{tmp_path}/chat.db")), tmp_path / "training"
    trained, door = TrainedModels(store, folder), Door()
    trainer = FakeTrainer(write_adapter(tmp_path / "ready.gguf"))
    trainer.hold_at = 8
    trainer.go.clear()
    runner = TuningRunner(store, trainer, trained, folder, door)
    runner.starting = starting = Watched()
    plans = planner(write_model(tmp_path / "tiny.gguf", template=CHATML))
    files: Any = None
    service = TuningService(
        store, runner, plans, files, trained, folder=folder, train_base="", most_waiting=9
    )
    await runner.start()
    yield House(service, runner, trainer, door, store, folder, starting)
    door.opened.set()
    trainer.go.set()
    await runner.close()


def after_planning(monkeypatch: pytest.MonkeyPatch, then: Callable[[], Any]) -> None:
    """Have something happen each time that a plan is written and not yet recorded."""
    plan = LocalPlanner.plan

    async def planned(*asked: Any) -> Any:
        found = await plan(*asked)
        await then()
        return found

    monkeypatch.setattr(LocalPlanner, "plan", planned)


async def test_what_is_about_to_begin_waits_for_the_text_that_is_planned_into_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await house.about_to_begin()

    async def begins() -> None:
        house.door.opened.set()
        await house.waits_or(lambda: bool(house.trainer.started))

    after_planning(monkeypatch, begins)
    _, second = await house.service.train("ana", "P: c\nR: d")
    assert (second.id, second.details["examples"]) == (first.id, 2)
    async with asyncio.timeout(60):
        while len(house.trainer.trained) < 7:
            await house.runner.changed(0.05)
    assert house.examples(first.id) == 2
    ended = await house.ended(first.id)
    assert house.trainer.trained == [(first.id, step) for step in range(1, ended.steps + 1)]
    assert house.folders() == sorted([first.id, "lock"])


async def test_what_begins_in_another_process_reads_what_it_had(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await house.about_to_begin()

    async def begins() -> None:
        await asyncio.to_thread(house.store.record, first.id, only_if=("queued",), status="running")

    after_planning(monkeypatch, begins)
    _, second = await house.service.train("ana", "P: c\nR: d")
    assert second.id != first.id
    assert (house.examples(first.id), house.examples(second.id)) == (1, 2)
    assert house.folders() == sorted([first.id, "lock", second.id])
    assert (await house.ended(first.id)).details["examples"] == 1
    assert (await house.ended(second.id)).details["examples"] == 2


async def test_what_is_cancelled_while_a_text_is_planned_into_it_leaves_the_text_to_another(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await house.about_to_begin()

    async def cancelled() -> None:
        await asyncio.to_thread(house.store.record, first.id, only_if=("queued",), status="cancelled")
        house.runner.drop(first)

    after_planning(monkeypatch, cancelled)
    _, second = await house.service.train("ana", "P: c\nR: d")
    assert second.id != first.id and (await house.ended(second.id)).status == "succeeded"
    assert house.folders() == sorted(["lock", second.id])


@pytest.mark.parametrize("look", [1, 2])
async def test_a_text_given_while_a_training_begins_is_taken_at_once(
    house: House, monkeypatch: pytest.MonkeyPatch, look: int
) -> None:
    monkeypatch.setattr("svc_chat.domain.tuning.service.REST_S", 3600.0)
    await house.about_to_begin()
    loop, looks, joinable = asyncio.get_running_loop(), [], SqlTuning.joinable

    def slowly(store: SqlTuning, owner: str, kind: str) -> TuningJob | None:
        found = joinable(store, owner, kind)
        looks.append(found)
        if len(looks) == look:
            house.waits_meanwhile_or(loop, lambda: bool(house.trainer.started))
        return found

    monkeypatch.setattr(SqlTuning, "joinable", slowly)
    async with asyncio.timeout(60):
        text, _ = await house.service.train("ana", "P: c\nR: d")
    assert [kept.text for kept in house.store.texts("ana")] == ["P: a\nR: b", text.text]


async def test_a_pause_that_comes_while_a_training_begins_takes_hold(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await house.about_to_begin()
    loop, record, pausing = asyncio.get_running_loop(), SqlTuning.record, asyncio.Event()

    def slowly(store: SqlTuning, job_id: str, *about: Any, **changes: Any) -> TuningJob | None:
        found = record(store, job_id, *about, **changes)
        if changes.get("status") == "running":
            loop.call_soon_threadsafe(pausing.set)
            house.waits_meanwhile_or(loop, lambda: store.get("ana", job_id).status == "paused")
        return found

    monkeypatch.setattr(SqlTuning, "record", slowly)
    house.door.opened.set()
    await soon(pausing.wait())
    assert (await house.service.pause("ana", first.id)).status == "paused"
    async with asyncio.timeout(60):
        while not house.trainer.started:
            await house.runner.changed(0.05)
    assert await house.runner.at_rest(first.id, 10.0)
    assert (await house.service.get("ana", first.id)).status == "paused"


async def test_who_leaves_while_a_text_is_planned_has_given_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned, go = asyncio.Event(), asyncio.Event()

    async def waits() -> None:
        planned.set()
        await go.wait()

    after_planning(monkeypatch, waits)
    giving = asyncio.create_task(house.service.train("ana", "P: a\nR: b"))
    await soon(planned.wait())
    giving.cancel()
    await asyncio.sleep(0)
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await giving
    (text,), (job,) = house.store.texts("ana"), await house.jobs()
    assert text.text == "P: a\nR: b" and house.examples(job.id) == 1


async def test_what_joined_a_training_that_waits_long_is_no_leftover(house: House) -> None:
    first = await house.about_to_begin()
    folders = TrainingFolders(house.folder)
    _, joined = await house.service.train("ana", "P: c\nR: d")
    plan, lost = house.folder / joined.details[PLAN], house.folder / folders.new_plan(first.id)
    lost.mkdir()
    for folder in (plan, lost):
        os.utime(folder, (1.0, 1.0))
    folders.tidy(house.store)
    assert plan.exists() and not lost.exists()


async def test_what_joined_a_training_that_fails_before_it_begins_is_removed_with_it(house: House) -> None:
    first = await house.about_to_begin()
    _, joined = await house.service.train("ana", "P: c\nR: d")
    assert (house.folder / joined.details[PLAN] / EXAMPLES_FILE).exists()
    house.door.refusal = NotReady("It never fits.", retry_after_s=None)
    assert (await house.ended(first.id)).status == "failed"
    await house.runner.close()
    assert house.folders() == sorted([first.id, "lock"])
    assert list((house.folder / first.id).iterdir()) == []


async def test_no_training_begins_while_the_service_stops(house: House) -> None:
    first = await house.about_to_begin()
    async with house.starting:
        house.door.opened.set()
        await house.waits_or(lambda: bool(house.trainer.started))
        closing = asyncio.create_task(house.runner.close())
        await asyncio.sleep(0)
    await closing
    assert house.trainer.started == []
    assert house.store.get("ana", first.id).status == "queued"
