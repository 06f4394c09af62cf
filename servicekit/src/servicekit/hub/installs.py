"""Installing and removing models as a service does it: a durable job, told in bytes, that a crash only delays."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from servicekit.errors import Conflict, Forbidden, ModelNotFound, NotReady
from servicekit.hub.choosing import RepoFile
from servicekit.hub.errors import DoesNotFit, HashMismatch, HubUnreachable
from servicekit.hub.plan import Plan, Planner
from servicekit.hub.repository import Repository
from servicekit.hub.shelf import Shelf, ShelfModel, matches
from servicekit.jobs import Job, JobContext, JobQueue
from servicekit.logs import log_event

KIND = "model.install"
TRIES = 6
"""Attempts at a file while the hub is away; the pauses between them grow from one second."""
log = logging.getLogger(__name__)


class Installs:
    """Brings models onto a service's shelf.

    Args:
        planner: knows what an id takes.
        repository: where files come from.
        shelf: where they go.
        arrived: called in a worker thread with each installed model, at the start and after an install.
        leaving: called before a model's files go; raises Conflict while it is in use.
    """

    def __init__(
        self,
        planner: Planner,
        repository: Repository,
        shelf: Shelf,
        arrived: Callable[[ShelfModel], None],
        leaving: Callable[[str], None],
    ) -> None:
        self._planner, self._repository, self.shelf = planner, repository, shelf
        self._arrived, self._leaving = arrived, leaving
        self._commits: dict[str, str] = {}

    def commits(self) -> list[str]:
        """Return the ids of what was installed, each with its commit: the same id may come back as another model."""
        return [f"{model_id} {commit}" for model_id, commit in sorted(self._commits.copy().items())]

    def offer(self) -> None:
        """Tell the service of every model on the shelf. Blocks; call it once at the start."""
        self.shelf.tidy()
        for model in self.shelf.models():
            self._arrive(model)

    def plan(self, model_id: str, revision: str | None = None) -> Plan:
        """Say what installing would take (see Planner.plan). Blocks."""
        return self._planner.plan(model_id, revision)

    def begin(self, model_id: str, revision: str | None, owner: str, role: str, queue: JobQueue) -> Job:
        """Plan, check that it fits and queue the job; the one already at it is returned instead. Blocks.

        Raises:
            Forbidden: only owners of the installation install. Conflict: it is installed at this commit, or another
                repository's model has its name (many GGUF files are called alike).
            DoesNotFit, and what Planner.plan raises.
        """
        _owners_only(role, "install")
        plan = self.plan(model_id, revision)
        plan.check()
        there = self.shelf.get(plan.target.id)
        if there is not None and there.repo != plan.target.repo:
            raise Conflict(
                f"A model called '{plan.target.id}' is installed already, from '{there.repo}'. Remove that one first.",
                param="id",
            )
        if there is not None and there.commit == plan.commit:
            raise Conflict(f"'{plan.target.id}' is installed already, at the same commit.", param="id")
        for job in queue.unfinished(KIND):
            if job.payload["id"] == plan.target.id:
                if job.payload["repo"] != plan.target.repo:
                    raise Conflict(
                        f"A model called '{plan.target.id}' is being installed just now, from '{job.payload['repo']}'.",
                        param="id",
                    )
                if job.owner != owner:
                    raise Conflict(f"Somebody else is installing '{plan.target.id}' just now.", param="id")
                return job
        return queue.submit(KIND, plan.payload(), owner)

    def remove(self, model_id: str, role: str, queue: JobQueue | None = None) -> None:
        """Uninstall a model and free its disk, also of what was fetched by an install that nobody goes on with. Blocks.

        Raises:
            Forbidden: only owners remove. ModelNotFound: nothing of it was fetched here. Conflict: it is in use, or being
                installed by a job of `queue`.
        """
        _owners_only(role, "remove")
        for job in queue.unfinished(KIND) if queue is not None else ():
            if job.payload["id"] == model_id:
                raise Conflict(
                    f"'{model_id[:100]}' is being installed just now. Cancel that first: DELETE /v1/jobs/{job.id}.",
                    param="model",
                )
        installed = self.shelf.get(model_id) is not None
        if not installed and not self.shelf.part_bytes(model_id):
            raise ModelNotFound(
                f"'{model_id[:100]}' was not installed here, so there is nothing to remove: it is built in, or named "
                "by a setting.",
                param="model",
            )
        if installed:
            self._leaving(model_id)
            self._commits.pop(model_id, None)
        self.shelf.remove(model_id)
        log_event(log, "model removed", model=model_id)

    def run(self, context: JobContext, payload: dict[str, Any]) -> dict[str, Any]:
        """Carry a plan out: the handler of jobs of `KIND`. Goes on where an earlier run stopped."""
        model_id, commit = payload["id"], payload["commit"]
        files = tuple(RepoFile(**file) for file in payload["files"])
        total = sum(file.size for file in files)
        meter = _Meter(context, model_id, total)
        with _written(model_id):
            folder = self.shelf.parts(model_id)
            for file in files:
                self._check_room(model_id, total)
                meter.at(file.name)
                self._bring(context, payload["repo"], commit, file, model_id, meter)
                meter.done_with(file)
        context.check_cancelled()
        meter.made_ready()
        model = ShelfModel(
            id=model_id, path=folder, repo=payload["repo"], commit=commit, files=files, license=payload.get("license"),
            languages=tuple(payload.get("languages") or ()), task=payload.get("task"),
        )  # fmt: skip
        self._put_up(model)
        log_event(log, "model installed", model=model_id, bytes=total)
        return {"model": model_id, "size_bytes": total}

    def _put_up(self, model: ShelfModel) -> None:
        older = self.shelf.get(model.id)
        if older is not None:
            self._leaving(model.id)  # an older commit makes room for the newer
        try:
            with _written(model.id):
                self.shelf.publish(model)
        except NotReady:
            there = self.shelf.get(model.id)
            if there is not None:
                self._arrive(there)  # the older one, or the newer where only the folder's sync failed
            else:
                self._commits.pop(model.id, None)
            raise
        placed = self.shelf.get(model.id)
        assert placed is not None
        self._commits[model.id] = model.commit
        try:
            self._arrived(placed)
        except Exception:
            del self._commits[model.id]
            self.shelf.remove(model.id)  # whole and verified, but nothing that this service can run
            raise

    def _arrive(self, model: ShelfModel) -> None:
        self._commits[model.id] = model.commit
        try:
            self._arrived(model)
        except Exception:
            # one broken folder must not keep the service from starting
            log.exception("an installed model is of no use", extra={"fields": {"model": model.id}})

    def _bring(
        self, context: JobContext, repo: str, commit: str, file: RepoFile, model_id: str, meter: _Meter
    ) -> None:
        """Fetch one file until it is whole and what was promised."""
        folder, wrong, away = self.shelf.parts(model_id), 0, 0
        path = folder / file.name
        while not matches(path, file):
            if path.exists():
                wrong += 1
                path.unlink()
                meter.restart_file()
                if wrong > 1:
                    raise HashMismatch(
                        f"The hub's '{file.name}' is not what its listing promises, twice in a row. Nothing was installed."
                    )
            context.check_cancelled()
            try:
                self._repository.fetch(repo, commit, file, folder, meter.add)
            except HubUnreachable:
                away += 1
                if away >= TRIES:
                    raise
                meter.restart_file()
                _pause(context, min(2.0**away / 2, 15.0))

    def _check_room(self, model_id: str, total: int) -> None:
        missing = total - self.shelf.part_bytes(model_id)
        free = shutil.disk_usage(self.shelf.root).free
        if missing > free:
            raise DoesNotFit(
                f"'{model_id}' needs {missing} more bytes on disk and {free} are free. Free some and install it "
                "again: what was fetched is kept.",
                param="id",
            )


@contextmanager
def _written(model_id: str) -> Iterator[None]:
    """Tell of a folder that cannot be written as that."""
    try:
        yield
    except OSError as error:
        raise NotReady(
            f"'{model_id[:100]}' cannot be written to the disk ({type(error).__name__}). Free some disk space, or let the "
            "service write its folder of models, and install it again: what was fetched is kept."
        ) from error


class _Meter:
    """Counts bytes and tells the job how far it is and how fast."""

    def __init__(self, context: JobContext, model_id: str, total: int):
        self._context, self._model, self._total = context, model_id, total
        self._before = self._here = 0
        self._name = ""
        self._began, self._fetched = time.monotonic(), 0
        self._begins = True
        """Whether a try at a file begins, which first tells how much of it lies there."""

    def at(self, name: str) -> None:
        self._name = name
        self.restart_file()
        self._tell()

    def add(self, count: int) -> None:
        """Take in bytes of the current file (fewer than none: a server began anew). Raises JobCancelled."""
        self._here += count
        self._fetched += 0 if self._begins else count
        self._begins = False
        self._tell()

    def restart_file(self) -> None:
        """The next try tells again how much of the file is there."""
        self._here, self._begins = 0, True

    def made_ready(self) -> None:
        """Tell that everything is here and what is left has no bytes to count, such as converting it."""
        self._context.progress(
            self._total, self._total, f"{self._model} · {_mb(self._total)} MB · getting it ready"
        )

    def done_with(self, file: RepoFile) -> None:
        self._before += file.size
        self._here = 0
        self._tell()

    def _tell(self) -> None:
        done = min(self._total, self._before + max(0, self._here))
        speed = self._fetched / max(0.001, time.monotonic() - self._began)
        self._context.progress(
            done,
            self._total,
            f"{self._model} · {self._name} · {_mb(done)} / {_mb(self._total)} MB · {_mb(speed)} MB/s",
        )


def _mb(count: float) -> str:
    return f"{count / 1e6:.1f}"


def _pause(context: JobContext, seconds: float) -> None:
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        context.check_cancelled()
        time.sleep(min(0.1, left))


def _owners_only(role: str, what: str) -> None:
    if role != "owner":
        raise Forbidden(f"Only an owner may {what} models. Ask one, or log in as one.")
