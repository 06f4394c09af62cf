"""Trainings of one owner: begun, looked at, paused, cancelled, and the models that they made.

Knows no HTTP and no tensors. The work itself is `runner.py`'s.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from servicekit.errors import BadRequest
from servicekit.uninterrupted import uninterrupted
from svc_chat.domain.tuning.reading import read_given, read_jsonl
from svc_chat.domain.tuning.runner import TuningRunner
from svc_chat.engine.history import Listing, Page
from svc_chat.engine.tuning.base import (
    JOINABLE,
    PLAN,
    Planned,
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
from svc_chat.engine.tuning.folders import TrainingFolders
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
        self._folders, self._train_base, self._most_waiting = (
            TrainingFolders(folder),
            train_base,
            most_waiting,
        )
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
        queuing = self._queue(owner, "file", base, order.suffix, examples, held_out, order.wishes, details)
        return await uninterrupted(queuing)

    async def train(self, owner: str, given: Any) -> tuple[TrainingText, TuningJob]:
        """Keep what `/train` was given and begin a training of all texts that this owner gave so far.

        A training of theirs that waits for its turn, or is paused, takes the new text in; there is no second one. It
        goes on from its checkpoint. One that is paused stays so: only who paused it says when it goes on. A caller that
        leaves has given the text all the same.

        Raises: as `create`; TrainingResting.
        """
        self._check_installed()
        await asyncio.to_thread(read_given, given)
        base = await self._planner.base(self._train_base or None, owner)
        async with self.runner.starting:  # one that is just beginning rests nowhere
            joined = await asyncio.to_thread(self.store.joinable, owner, "train")
        if joined is not None:
            await self.runner.at_rest(joined.id, REST_S)
        return await uninterrupted(self._take_in(owner, base, given))

    async def _take_in(self, owner: str, base: str, given: Any) -> tuple[TrainingText, TuningJob]:
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
            job = await self._joined(owner, base, examples)
            if job is None:
                job = await self._queue(owner, "train", base, "train", examples, (), Wishes(), {})
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
        self.runner.drop(changed)
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

    async def _joined(self, owner: str, base: str, examples: Sequence[Example]) -> TuningJob | None:
        """Let all texts join the owner's training that waits or is paused; None when there is none that takes them.

        It does not begin while they are planned. If it began in another process, or was cancelled, it reads what it
        had: they are in a folder of their own, which goes again.
        """
        async with self.runner.starting:
            joined = await asyncio.to_thread(self.store.joinable, owner, "train")
            if joined is None or joined.base != base:
                return None
            if not await self.runner.at_rest(joined.id, 0):
                raise TrainingResting(joined.id)
            plan = self._folders.new_plan(joined.id)
            own, new = self._folders.of(joined.id), self._folders.of(plan)
            planning = self._planner.plan(base, examples, (), Wishes(), new, own, joined.step)
            planned = await self._whole(plan, planning)
            taken = await asyncio.to_thread(
                self.store.record,
                joined.id,
                f"{len(examples)} examples now",
                only_if=JOINABLE,
                as_of=joined,
                step=planned.from_step,
                steps=planned.steps,
                details={**planned.details, "look": {}, PLAN: plan},  # what is held out is another now
            )
            outdated = plan if taken is None else joined.details.get(PLAN)
            await asyncio.to_thread(self._folders.remove, outdated)
            return taken

    async def _whole(self, name: str, planning: Awaitable[Planned]) -> Planned:
        """Return what is planned into the folder `name`; nothing of it stays if that is refused."""
        try:
            return await planning
        except Exception:
            await asyncio.to_thread(self._folders.remove, name)
            raise

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
        planning = self._planner.plan(base, examples, held_out, wishes, self._folders.of(job_id))
        planned = await self._whole(job_id, planning)
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
        except Exception:
            await asyncio.to_thread(self._folders.remove, job_id)
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
        async with self.runner.starting:  # one that is just beginning would not hear of it
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
