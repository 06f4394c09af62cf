"""A text that is given while a training is paused, or waits for its turn after that: it joins, and what was learned stays."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from svc_chat.domain.tuning.runner import TuningRunner
from svc_chat.domain.tuning.service import TuningService
from svc_chat.engine.database import open_database
from svc_chat.engine.history import Page
from svc_chat.engine.tuning.base import PLAN, TuningJob, Wishes
from svc_chat.engine.tuning.examples import Dialogue, Message, write_examples
from svc_chat.engine.tuning.fake import FakeRoom, FakeTrainer
from svc_chat.engine.tuning.folders import TrainingFolders
from svc_chat.engine.tuning.models import TrainedModels
from svc_chat.engine.tuning.planner import LocalPlanner
from svc_chat.engine.tuning.recipe import CHECKPOINT_FILE, EXAMPLES_FILE, HELD_OUT_FILE, RECIPE_FILE, Recipe
from svc_chat.engine.tuning.store import SqlTuning
from svc_chat.tuning_errors import TrainingResting

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def pair(asked: str, answer: str) -> Dialogue:
    return Dialogue((Message("user", asked), Message("assistant", answer)), (1,))


def planner(model: Path) -> LocalPlanner:
    async def locate(_: str) -> Path:
        return model

    async def find(name: str | None, _: str) -> str:
        return name or "tiny"

    return LocalPlanner(find, locate, threads=1)


async def plan(model: Path, folder: Path, examples: list[Dialogue], done_steps: int | None = None) -> int:
    """Plan a training in `folder`; or what joins the one there, that came to `done_steps`, and let it take that in."""
    wishes, folders = Wishes(epochs=4, batch=1), TrainingFolders(folder.parent)
    if done_steps is None:
        planned = await planner(model).plan("tiny", examples, (), wishes, folder)
    else:
        new = folders.new_plan(folder.name)
        planned = await planner(model).plan("tiny", examples, (), wishes, folders.of(new), folder, done_steps)
        step, details = planned.from_step, {PLAN: new}
        job = TuningJob(folder.name, "ana", "running", "tiny", "", 1.0, step=step, details=details)
        await asyncio.to_thread(folders.take_in, job)
    assert [path.name for path in folder.parent.glob("job*")] == ["job"]
    assert Recipe.read(folder).steps == planned.steps
    return planned.from_step


async def test_a_plan_that_joins_keeps_the_checkpoint_of_the_same_adapter_alone(
    tmp_path: Path, write_model: Callable[..., Path]
) -> None:
    folder, first = tmp_path / "job", write_model(tmp_path / "first.gguf", template=CHATML)
    assert await plan(first, folder, [pair("a", "b")]) == 0
    assert await plan(first, folder, [pair("a", "b")], done_steps=3) == 0, "there is no checkpoint"
    (folder / CHECKPOINT_FILE).write_text("3")
    assert await plan(first, folder, [pair("a", "b"), pair("c", "d")], done_steps=3) == 3
    assert Recipe.read(folder).steps == 3 + 8
    other = write_model(tmp_path / "other.gguf", template=CHATML)
    assert await plan(other, folder, [pair("a", "b")], done_steps=3) == 0
    assert not (folder / CHECKPOINT_FILE).exists()


def test_what_was_interrupted_while_it_was_taken_in_is_taken_in_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders, copy, copied = TrainingFolders(tmp_path), shutil.copyfile, []
    job = TuningJob("job", "ana", "running", "tiny", "", 1.0, details={PLAN: folders.new_plan("job")})
    names = (EXAMPLES_FILE, HELD_OUT_FILE, RECIPE_FILE)
    for folder, text in (folders.of("job"), "old"), (folders.of(job.details[PLAN]), "new"):
        folder.mkdir()
        for name in names:
            (folder / name).write_text(text)

    def dies(source: Path, target: Path) -> None:
        copied.append(source)
        if len(copied) == 3:
            raise OSError("the end of the process")
        copy(source, target)

    monkeypatch.setattr("svc_chat.engine.tuning.folders.shutil.copyfile", dies)
    with pytest.raises(OSError, match="the end"):
        folders.take_in(job)
    for _ in range(2):
        folders.take_in(job)
    assert [(folders.of("job") / name).read_text() for name in names] == ["new"] * 3
    assert [path.name for path in tmp_path.iterdir()] == ["job"] and len(copied) == 6


class Stubborn(FakeTrainer):
    """Is told to rest and does not, as in the midst of a long step."""

    def train(self, folder: Path, stop: asyncio.Event) -> AsyncGenerator[Mapping[str, Any], None]:
        return super().train(folder, asyncio.Event())


@dataclass
class School:
    """A service with a trainer that stops before step 8 until it is let go."""

    service: TuningService
    runner: TuningRunner
    trainer: FakeTrainer

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not condition():
                await self.runner.changed(0.05)

    async def ended(self, job_id: str) -> TuningJob:
        async with asyncio.timeout(60):
            while not (job := await self.service.get("ana", job_id)).final:
                await self.runner.changed(0.05)
        return job


@pytest.fixture
async def school(
    tmp_path: Path,
    write_model: Callable[..., Path],
    write_adapter: Callable[..., Path],
    request: pytest.FixtureRequest,
) -> AsyncIterator[School]:
    store, folder = SqlTuning(open_database(f"sqlite:///{tmp_path}/chat.db")), tmp_path / "training"
    trained = TrainedModels(store, folder)
    trainer = getattr(request, "param", FakeTrainer)(write_adapter(tmp_path / "ready.gguf"))
    runner = TuningRunner(store, trainer, trained, folder, FakeRoom())
    plans = planner(write_model(tmp_path / "tiny.gguf", template=CHATML))
    files: Any = None
    service = TuningService(
        store, runner, plans, files, trained, folder=folder, train_base="", most_waiting=9
    )
    trainer.hold_at = 8
    trainer.go.clear()
    await runner.start()
    yield School(service, runner, trainer)
    trainer.go.set()
    await runner.close()


async def test_a_text_given_while_a_training_is_paused_joins_it_and_leaves_it_paused(school: School) -> None:
    service, trainer = school.service, school.trainer
    _, first = await service.train("ana", "P: a\nR: b")
    await school.until(lambda: len(trainer.trained) == 7)
    await service.pause("ana", first.id)
    texts = [await service.train("ana", text) for text in ("P: c\nR: d", "P: e\nR: f")]
    assert [(job.id, job.status, job.details["examples"]) for _, job in texts] == [
        (first.id, "paused", 2),
        (first.id, "paused", 3),
    ]
    assert len((await service.list("ana", Page(9))).rows) == 1 and trainer.started == [first.id]
    trainer.go.set()
    await service.resume("ana", first.id)
    ended = await school.ended(first.id)
    assert ended.status == "succeeded" and ended.steps > first.steps
    assert trainer.trained == [(first.id, step) for step in range(1, ended.steps + 1)], (
        "no step is made twice"
    )


async def test_another_persons_paused_training_takes_nothing_in(school: School) -> None:
    _, first = await school.service.train("ana", "P: a\nR: b")
    await school.until(lambda: bool(school.trainer.trained))
    await school.service.pause("ana", first.id)
    _, other = await school.service.train("ben", "P: c\nR: d")
    assert other.id != first.id and other.details["examples"] == 1


async def test_a_text_joins_what_waits_for_its_turn_before_what_is_paused(school: School) -> None:
    service, trainer = school.service, school.trainer
    _, paused = await service.train("ana", "P: a\nR: b")
    await school.until(lambda: len(trainer.trained) == 7)
    _, other = await service.train("ben", "P: e\nR: f")
    _, queued = await service.train("ana", "P: c\nR: d")
    assert queued.id != paused.id, "what is being learned takes nothing in"
    await service.pause("ana", paused.id)
    await school.until(lambda: other.id in trainer.started)
    _, third = await service.train("ana", "P: e\nR: f")
    assert (third.id, third.status, third.details["examples"]) == (queued.id, "queued", 3)


@pytest.mark.parametrize("school", [Stubborn], indirect=True)
async def test_a_text_that_comes_while_a_pause_takes_hold_is_refused_and_not_kept(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("svc_chat.domain.tuning.service.REST_S", 0.01)
    service = school.service
    _, first = await service.train("ana", "P: a\nR: b")
    await school.until(lambda: len(school.trainer.trained) == 7)
    await service.pause("ana", first.id)
    with pytest.raises(TrainingResting, match="in some seconds") as caught:
        await service.train("ana", "P: c\nR: d")
    assert (caught.value.status, caught.value.retry_after_s) == (503, 10)
    assert len(service.store.texts("ana")) == 1
    school.trainer.go.set()
    assert (await school.ended(first.id)).status == "succeeded", "it was at its end"
    _, second = await service.train("ana", "P: c\nR: d")
    assert second.id != first.id and second.details["examples"] == 2


async def test_a_text_given_while_a_paused_training_waits_joins_it_where_it_was(school: School) -> None:
    service, trainer = school.service, school.trainer
    _, first = await service.train("ana", "P: a\nR: b")
    await school.until(lambda: len(trainer.trained) == 7)
    await service.pause("ana", first.id)
    _, other = await service.train("ben", "P: e\nR: f")
    await school.until(lambda: other.id in trainer.started)
    await service.resume("ana", first.id)
    _, second = await service.train("ana", "P: c\nR: d")
    assert (second.id, second.details["examples"]) == (first.id, 2)
    trainer.go.set()
    ended = await school.ended(first.id)
    steps = [step for job_id, step in trainer.trained if job_id == first.id]
    assert steps == list(range(1, ended.steps + 1)), "no step is made twice"
    assert (ended.status, ended.step) == ("succeeded", ended.steps) and ended.steps > first.steps


@pytest.mark.model
async def test_new_examples_are_learned_from_the_checkpoint_on_and_decide_which_step_was_the_best(
    tmp_path: Path, write_model: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from svc_chat.engine.tuning import training
    from svc_chat.engine.tuning.training import Training

    write_examples(few := tmp_path / "general.jsonl", [pair(word, word) for word in ("oi", "olá", "bom")])
    monkeypatch.setattr(training, "REHEARSAL", few)
    told: list[dict[str, Any]] = []
    folder, model = tmp_path / "job", write_model(tmp_path / "tiny.gguf", template=CHATML)
    await plan(model, folder, [pair("quem?", "ana")])
    before = Training(folder, told.append)
    assert not before.run(lambda: bool(told) and told[-1].get("step") == 3)
    same = Training(folder, told.append)
    assert (same.state.step, same.state.best_step) == (3, before.state.best_step) and before.state.best_step
    await plan(model, folder, [pair("quem?", "ana"), pair("onde?", "aqui")], done_steps=3)
    joined = Training(folder, told.append)
    assert (joined.state.step, joined.state.best_step, joined.state.best_adapter) == (3, 0, {})
    learned = before.network.adapter()
    assert all(matrix.equal(learned[name]) for name, matrix in joined.network.adapter().items())
    told.clear()
    assert joined.run(lambda: False)
    assert [report["step"] for report in told if report["kind"] == "step"] == list(range(4, 12))
    assert told[0] == {"kind": "look", "step": 0, "held_out_loss": told[0]["held_out_loss"], "drift": 0.0}
    assert joined.finish()["best_step"] > 3
