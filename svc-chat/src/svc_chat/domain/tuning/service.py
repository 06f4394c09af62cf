"""Trainings of one owner: begun, looked at, paused, cancelled, and the models that they made.

Knows no HTTP and no tensors. The work itself is `runner.py`'s.
"""

from __future__ import annotations

import asyncio
import shutil
import time
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from servicekit.errors import BadRequest
from svc_chat.domain.tuning.reading import read_given, read_jsonl
from svc_chat.domain.tuning.runner import TuningRunner
from svc_chat.engine.history import Listing, Page
from svc_chat.engine.tuning.base import (
    JOINABLE,
    Planner,
    Status,
    TrainedModel,
    TrainingFiles,
    TrainingText,
    TuningEvent,
    TuningJob,
    TuningStore,
    Wishes,
)
from svc_chat.engine.tuning.examples import Example
from svc_chat.engine.tuning.models import TrainedModels
from svc_chat.tuning_errors import JobEnded, TrainingNotInstalled, TrainingResting

HEARTBEAT_S = 1.5
"""Who follows a job hears at least this often."""
REST_S = 10.0
"""Seconds that a text waits for a training that was just paused to write its checkpoint."""
MAX_TEXTS_CHARS = 5_000_000
"""All texts that one owner gave to `/train`."""


@dataclass(frozen=True)
class Order:
    """A training as it is asked for."""

    training_file: str
    model: str
    validation_file: str | None = None
    suffix: str = ""
    wishes: Wishes = field(default_factory=Wishes)
    metadata: Mapping[str, str] = field(default_factory=dict)


class TuningService:
    """Everything is looked for among the owner's own."""

    def __init__(
        self,
        store: TuningStore,
        runner: TuningRunner,
        planner: Planner,
        files: TrainingFiles,
        trained: TrainedModels,
        *,
        folder: Path,
        train_base: str,
        most_waiting: int,
    ):
        self.store, self.runner = store, runner
        self._planner, self._files, self._trained = planner, files, trained
        self._folder, self._train_base, self._most_waiting = folder, train_base, most_waiting
        self._adding = asyncio.Lock()

    async def create(self, owner: str, order: Order) -> TuningJob:
        """Check the files line by line and queue a training.

        Raises:
            NotFound: a file is not there.
            InvalidExamples: a line cannot be read.
            NotTrainable, ModelNotFound: the base cannot be trained.
            TrainingTooLarge, TrainingNotInstalled, TrainingFull: not here, or not now.
        """
        self._check_installed()
        base = await self._planner.base(order.model, owner)
        examples = await self._file(owner, order.training_file, "training_file")
        held_out: Sequence[Example] = ()
        if order.validation_file is not None:
            held_out = await self._file(owner, order.validation_file, "validation_file")
        details = {
            "training_file": order.training_file,
            "validation_file": order.validation_file,
            "metadata": dict(order.metadata),
            "suffix": order.suffix,
            "wishes": vars(order.wishes),
        }
        return await self._queue(owner, "file", base, order.suffix, examples, held_out, order.wishes, details)

    async def train(self, owner: str, given: Any) -> tuple[TrainingText, TuningJob]:
        """Keep what `/train` was given and begin a training of all texts that this owner gave so far.

        A training of theirs that waits for its turn, or is paused, takes the new text in; there is no second one. It
        goes on from its checkpoint. One that is paused stays so: only who paused it says when it goes on.

        Raises: as `create`; TrainingResting.
        """
        self._check_installed()
        await asyncio.to_thread(read_given, given)
        base = await self._planner.base(self._train_base or None, owner)
        if (joined := await asyncio.to_thread(self.store.joinable, owner, "train")) is not None:
            await self.runner.at_rest(joined.id, REST_S)
        async with self._adding:
            texts = await asyncio.to_thread(self.store.texts, owner)
            text = given if isinstance(given, str) else orjson.dumps(given).decode()
            chars = len(text) + sum(len(kept.text) for kept in texts)
            if chars > MAX_TEXTS_CHARS:
                raise BadRequest(
                    f"Your training texts would have {chars} characters; {MAX_TEXTS_CHARS} may be kept. "
                    "DELETE /train/{id} removes some.",
                    param="training_data",
                )
            examples = await asyncio.to_thread(_all_examples, [*(kept.text for kept in texts), text])
            job = await self._begin_train(owner, base, examples)
            return await asyncio.to_thread(self.store.add_text, owner, text), job

    async def delete_text(self, owner: str, text_id: str) -> None:
        """Forget a text; what was trained on it stays. Raises NotFound."""
        await asyncio.to_thread(self.store.delete_text, owner, text_id)

    async def get(self, owner: str, job_id: str) -> TuningJob:
        """Return one; raises NotFound."""
        return await asyncio.to_thread(self.store.get, owner, job_id)

    async def cancel(self, owner: str, job_id: str) -> TuningJob:
        """End a training; raises NotFound, JobEnded."""
        changed = await self._change(owner, job_id, "cancelled", "Cancelled", ("queued", "running", "paused"))
        await asyncio.to_thread(self._trained.refresh)
        self.runner.drop(job_id)
        return changed

    async def pause(self, owner: str, job_id: str) -> TuningJob:
        """Let a training rest at its next checkpoint; raises NotFound, JobEnded."""
        changed = await self._change(owner, job_id, "paused", "Paused", ("queued", "running"))
        self.runner.rest(job_id)
        return changed

    async def resume(self, owner: str, job_id: str) -> TuningJob:
        """Queue a paused training again; raises NotFound, JobEnded."""
        changed = await self._change(owner, job_id, "queued", "Waiting to go on", ("paused",))
        self.runner.wake()
        return changed

    async def events(self, owner: str, job_id: str, page: Page) -> Listing[TuningEvent]:
        """List what happened; raises NotFound."""
        await self.get(owner, job_id)
        if page.after is not None and not page.after.isdecimal():
            raise BadRequest(f"There is no event '{page.after[:80]}' of this training.", param="after")
        return await asyncio.to_thread(self.store.events, job_id, page)

    async def follow(self, owner: str, job_id: str, after: int) -> AsyncIterator[TuningEvent | TuningJob]:
        """Yield what happens after event number `after`, and the job itself while nothing does; raises NotFound.

        Ends with the training, or before it when the service stops.
        """
        job = await self.get(owner, job_id)
        while True:
            page = Page(100, str(after), newest_first=False)
            found = await asyncio.to_thread(self.store.events, job_id, page)
            for event in found.rows:
                after = event.seq
                yield event
            if not found.rows:
                if job.final or self.runner.draining:
                    return
                if not await self.runner.changed(HEARTBEAT_S):
                    yield job
            job = await self.get(owner, job_id)

    async def checkpoints(self, owner: str, job_id: str) -> Sequence[TrainedModel]:
        """Return the models made on the way; raises NotFound."""
        await self.get(owner, job_id)
        return await asyncio.to_thread(self.store.checkpoints, job_id)

    async def delete_model(self, owner: str, model_id: str) -> None:
        """Remove a model that a training made, with the checkpoints on the way to it; raises ModelNotFound."""
        model = await asyncio.to_thread(self.store.delete_model, owner, model_id)
        gone = [model]
        if not model.checkpoint:
            for checkpoint in await asyncio.to_thread(self.store.checkpoints, model.job_id):
                gone.append(await asyncio.to_thread(self.store.delete_model, owner, checkpoint.id))
        await asyncio.to_thread(self._trained.refresh)
        for one in gone:
            await asyncio.to_thread(self._trained.path(one).unlink, missing_ok=True)

    async def _begin_train(self, owner: str, base: str, examples: Sequence[Example]) -> TuningJob:
        joined = await asyncio.to_thread(self.store.joinable, owner, "train")
        if joined is None or joined.base != base:
            return await self._queue(owner, "train", base, "train", examples, (), Wishes(), {})
        if not await self.runner.at_rest(joined.id, 0):
            raise TrainingResting(joined.id)
        planned = await self._planner.plan(
            base, examples, (), Wishes(), self._folder / joined.id, joined.step
        )
        taken = await asyncio.to_thread(
            self.store.record,
            joined.id,
            f"{len(examples)} examples now",
            only_if=JOINABLE,
            step=planned.from_step,
            steps=planned.steps,
            details={**planned.details, "look": {}},  # what is held out is another now
        )
        return taken or await self._queue(owner, "train", base, "train", examples, (), Wishes(), {})

    async def _queue(
        self,
        owner: str,
        kind: str,
        base: str,
        suffix: str,
        examples: Sequence[Example],
        held_out: Sequence[Example],
        wishes: Wishes,
        details: Mapping[str, Any],
    ) -> TuningJob:
        number = uuid.uuid4().hex
        job_id = f"ftjob-{number[:24]}"
        folder = self._folder / job_id
        planned = await self._planner.plan(base, examples, held_out, wishes, folder)
        job = TuningJob(
            job_id,
            owner,
            "queued",
            base,
            f"ft:{base}:{suffix}:{number[:8]}",
            time.time(),
            kind="train" if kind == "train" else "file",
            steps=planned.steps,
            details={**details, **planned.details},
        )
        try:
            await asyncio.to_thread(self.store.add, job, self._most_waiting)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        self.runner.wake()
        return job

    async def _file(self, owner: str, file_id: str, param: str) -> list[Example]:
        return await asyncio.to_thread(read_jsonl, await self._files.read(owner, file_id, param), param)

    async def _change(
        self, owner: str, job_id: str, status: Status, message: str, only_if: Sequence[str]
    ) -> TuningJob:
        job = await self.get(owner, job_id)
        finished: dict[str, Any] = {"finished_at": time.time()} if status == "cancelled" else {}
        changed = await asyncio.to_thread(
            self.store.record, job_id, message, only_if=only_if, status=status, **finished
        )
        if changed is None:
            now = await self.get(owner, job.id)
            raise JobEnded(
                f"The training '{job_id[:80]}' is {now.status}; only one that is {' or '.join(only_if)} can become "
                f"{status}."
            )
        return changed

    def _check_installed(self) -> None:
        missing = self.runner.trainer.missing()
        if missing:
            raise TrainingNotInstalled(missing)

    async def list(self, owner: str, page: Page) -> Listing[TuningJob]:
        """List them, newest first."""
        return await asyncio.to_thread(self.store.list, owner, page)


def _all_examples(texts: Sequence[str]) -> list[Example]:
    found: list[Example] = []
    for text in texts:
        found += read_given(text)
    return found
