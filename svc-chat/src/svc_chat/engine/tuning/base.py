"""Trainings as they are kept, and who does them: the contract between the domain, a database and a child process.

Store calls block and may come from any thread. Another owner's id is as unknown as one that never was.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from svc_chat.engine.history import Listing, Page
from svc_chat.engine.tuning.examples import Example

Status = Literal["queued", "running", "paused", "succeeded", "failed", "cancelled"]
FINAL = ("succeeded", "failed", "cancelled")
WAITING = ("queued",)
JOINABLE = (*WAITING, "paused")
PLAN = "plan"
"""Key of a job's details that names the folder of what joined it; see `folders.py`."""


@dataclass(frozen=True)
class TuningJob:
    """One training. Times in seconds since 1970; `details` is what only its owner's view shows."""

    id: str
    owner: str
    status: Status
    base: str
    """Id of the model that is trained on."""
    model_id: str
    """Id of the model that it makes."""
    created_at: float
    kind: Literal["file", "train"] = "file"
    """`train`: made by `/train` of all texts that its owner gave."""
    step: int = 0
    steps: int = 0
    attempts: int = 0
    """Times that its process ended without a word since it last came further."""
    finished_at: float | None = None
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def final(self) -> bool:
        return self.status in FINAL


@dataclass(frozen=True)
class TuningEvent:
    """Something that happened to a job. `seq` counts from 1 in each job."""

    seq: int
    created_at: float
    message: str
    level: Literal["info", "warn", "error"] = "info"
    data: Mapping[str, Any] | None = None
    """Numbers of a step or a look."""


@dataclass(frozen=True)
class TrainedModel:
    """An adapter that a training made: the file, whose it is, and how good it was."""

    id: str
    owner: str
    base: str
    job_id: str
    file: str
    """Its name in the job's folder."""
    step: int
    created_at: float
    metrics: Mapping[str, Any] = field(default_factory=dict)
    checkpoint: bool = False


@dataclass(frozen=True)
class TrainingText:
    """A text that `/train` was given."""

    id: str
    text: str
    created_at: float


class TuningStore(Protocol):
    """Keeps jobs, their events and the models that they made."""

    def add(self, job: TuningJob, most_waiting: int) -> None:
        """Keep a new job with its first event; raises TrainingFull when as many wait."""
        ...

    def get(self, owner: str, job_id: str) -> TuningJob:
        """Return one; raises NotFound."""
        ...

    def list(self, owner: str, page: Page) -> Listing[TuningJob]:
        """List the owner's by when they were made; raises NotFound for an unknown cursor."""
        ...

    def next(self) -> TuningJob | None:
        """Return the job that is to be worked on: one that runs already, or the one that waited longest."""
        ...

    def joinable(self, owner: str, kind: str) -> TuningJob | None:
        """Return the owner's job of a kind that takes examples in: one in the queue, or else one that is paused."""
        ...

    def record(
        self,
        job_id: str,
        message: str = "",
        *,
        level: str = "info",
        data: Mapping[str, Any] | None = None,
        only_if: Sequence[str] = (),
        as_of: TuningJob | None = None,
        models: Sequence[TrainedModel] = (),
        **changes: Any,
    ) -> TuningJob | None:
        """Change a job, keep the models that it made and an event (if there is a message), all or nothing.

        None: its status is none of `only_if`, it is gone, or since it was read as `as_of` it came further or something
        joined it; then nothing was changed.
        """
        ...

    def events(self, job_id: str, page: Page) -> Listing[TuningEvent]:
        """List the events of a job; `after` is an event's number."""
        ...

    def models(self) -> Sequence[TrainedModel]:
        """Return all models that there are."""
        ...

    def checkpoints(self, job_id: str) -> Sequence[TrainedModel]:
        """Return the checkpoints of a job, the last first."""
        ...

    def delete_model(self, owner: str, model_id: str) -> TrainedModel:
        """Forget one; raises NotFound."""
        ...

    def folders(self, *, ended: bool = False) -> set[str]:
        """Return the ids of all jobs with what joined those that have not ended, or the ids of those that have."""
        ...

    def add_text(self, owner: str, text: str) -> TrainingText:
        """Keep a text."""
        ...

    def texts(self, owner: str) -> Sequence[TrainingText]:
        """Return the owner's texts, oldest first."""
        ...

    def delete_text(self, owner: str, text_id: str) -> None:
        """Forget one; raises NotFound."""
        ...


class TrainingFiles(Protocol):
    """Where files for training are kept."""

    async def read(self, owner: str, file_id: str, param: str) -> str:
        """Return a file's text.

        Raises:
            NotFound: the owner has no such file.
            BadRequest: it is for something else, too large, or no text; `param` is the field that names it.
        """
        ...


@dataclass(frozen=True)
class Wishes:
    """What a caller may say about how it is trained; None leaves it to the service."""

    epochs: int | None = None
    batch: int | None = None
    rate_multiplier: float | None = None
    seed: int | None = None


@dataclass(frozen=True)
class Planned:
    """A training that is ready to be queued: its folder is written."""

    base: str
    steps: int
    details: Mapping[str, Any]
    from_step: int = 0
    """What it goes on from: the checkpoint of a training that had come so far."""


class Planner(Protocol):
    """Knows what can be trained, how, and whether it fits this machine."""

    async def base(self, name: str | None, owner: str) -> str:
        """Return the id of the model that `name`, or nothing, means; raises ModelNotFound, NotTrainable."""
        ...

    async def plan(
        self,
        base: str,
        examples: Sequence[Example],
        held_out: Sequence[Example],
        wishes: Wishes,
        folder: Path,
        joins: Path | None = None,
        done_steps: int = 0,
    ) -> Planned:
        """Write a training into `folder`, which is new.

        What is to join the training in `joins`, which had come to `done_steps`, goes on from its checkpoint, for as
        many more steps as the examples need. Nothing there is touched.

        Raises:
            TrainingTooLarge: it does not fit this machine.
            ModelNotFound: the base is gone.
        """
        ...


class Room(Protocol):
    """The machine's memory, which a training shares with the models of all services."""

    async def take(self, job_id: str, need_bytes: int) -> None:
        """Return when so much is the training's.

        Raises:
            NotReady: there is no room now; without `retry_after_s`: there never is.
        """
        ...

    def give_back(self, job_id: str) -> None:
        """Let others have it."""
        ...


class Trainer(Protocol):
    """Trains what lies in a folder; see `child.py` for what it tells."""

    def missing(self) -> Sequence[str]:
        """Return the names of libraries that training needs and that are not here."""
        ...

    def train(self, folder: Path, stop: asyncio.Event) -> AsyncGenerator[Mapping[str, Any], None]:
        """Go on with the training in `folder` and yield what happens; once `stop` is set it ends at a checkpoint.

        The last report's `kind` is `done`, `stopped` or `failed`; without one of them the process died. Closing the
        generator ends the process at once.
        """
        ...
