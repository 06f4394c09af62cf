"""Does the trainings, one at a time, the one that waited longest first; goes on with what a crash left.

One process does this for a data folder: it holds the folder's lock, which the system takes back whatever ends it. What
a child process tells is written down before the next word is read, so a job is never further than its record says, and
a child that goes on from a checkpoint tells nothing twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import time
from collections.abc import Mapping
from contextlib import aclosing
from pathlib import Path
from typing import IO, Any

from servicekit.errors import ServiceError
from servicekit.logs import log_event
from servicekit.uninterrupted import uninterrupted
from svc_chat.engine.tuning.base import PLAN, Room, TrainedModel, Trainer, TuningJob, TuningStore
from svc_chat.engine.tuning.folders import TrainingFolders
from svc_chat.engine.tuning.models import TrainedModels

TOLD_S = 1.0
"""Steps are not told more often."""
IDLE_S = 5.0
RETRY_S = 1.0
MOST_ATTEMPTS = 5
"""Times that a child may end without a word before it came further."""
UNENDED = ("queued", "running", "paused")
"""A process that is asked to rest, and perhaps to go on again, may just then have come to its end."""
STOP_S = 10.0
"""That a training gets to write a checkpoint when the service stops."""
log = logging.getLogger(__name__)


class TuningRunner:
    """Works on the queue.

    Args:
        store: of jobs.
        trainer: does the work.
        trained: is told of new models.
        folder: of trainings, each in a folder named by its id.
        room: is asked for memory before each training.
    """

    def __init__(
        self, store: TuningStore, trainer: Trainer, trained: TrainedModels, folder: Path, room: Room
    ):
        self.trainer, self._room = trainer, room
        self._store, self._trained, self._folder = store, trained, folder
        self._folders = TrainingFolders(folder)
        self.starting = asyncio.Lock()
        """While it is held no training begins, and what the store tells of one that waits stays so."""
        self._wake, self._changed = asyncio.Event(), asyncio.Event()
        self._working: asyncio.Task[None] | None = None
        self._current: tuple[str, asyncio.Event, asyncio.Task[bool]] | None = None
        self._closing = False
        self.draining = False
        """Who follows a training is to come again: the service stops."""
        self._lock: IO[str] | None = None
        self._tidied = False

    async def start(self) -> None:
        """Begin to work."""
        await asyncio.to_thread(self._folder.mkdir, parents=True, exist_ok=True)
        await asyncio.to_thread(self._trained.refresh)
        self._working = asyncio.create_task(self._work())

    async def close(self) -> None:
        """Let the training that runs write a checkpoint, and stop; the next start goes on with it."""
        self._closing = True
        self.wake()
        if self._current is not None:
            self._current[1].set()
        if self._working is not None:
            await asyncio.wait({self._working}, timeout=STOP_S)
            self._working.cancel()
            await asyncio.gather(self._working, return_exceptions=True)
        if self._lock is not None:
            self._lock.close()

    def drain(self, _: float) -> None:
        """Let those go who follow a training; they would keep a service that stops waiting. In the event loop's thread."""
        self.draining = True
        self._changed.set()

    def wake(self) -> None:
        """Say that there may be work."""
        self._wake.set()

    def rest(self, job_id: str) -> None:
        """Let a training that runs end at a checkpoint."""
        if self._current is not None and self._current[0] == job_id:
            self._current[1].set()

    async def at_rest(self, job_id: str, within_s: float) -> bool:
        """Wait until no process works on a training: one that is paused may still be writing its checkpoint."""
        if self._current is None or self._current[0] != job_id:
            return True
        return bool((await asyncio.wait({self._current[2]}, timeout=within_s))[0])

    def drop(self, job: TuningJob) -> None:
        """End a training at once, if it runs, and remove what it had made."""
        if self._current is not None and self._current[0] == job.id:
            self._current[2].cancel()
        else:
            self._folders.remove_all(job)

    async def changed(self, within_s: float) -> bool:
        """Wait until some job changed; False after `within_s` seconds without."""
        try:
            async with asyncio.timeout(within_s):
                await self._changed.wait()
        except TimeoutError:
            return False
        return True

    async def _work(self) -> None:
        while not self._closing:
            self._wake.clear()
            try:
                if await self._do_next():
                    continue
            except ServiceError as error:
                log_event(log, "training waits", level=logging.WARNING, reason=error.code)
            except Exception:
                log.exception("training disturbed")  # what waits is not to wait for ever
            await self._rest()

    async def _do_next(self) -> bool:
        """Do the next training; False when there is none, or another process has the folder."""
        if not self._tidied:
            if not await asyncio.to_thread(self._own_folder):
                return False
            await asyncio.to_thread(self._folders.tidy, self._store)
            self._tidied = True
        job = await asyncio.to_thread(self._store.next)
        if job is None:
            return False
        try:
            if await self._has_room(job):
                await self._run(job)
        finally:
            self._room.give_back(job.id)
        return True

    async def _has_room(self, job: TuningJob) -> bool:
        """Take the memory for a training; False: it will never have it, and has failed.

        Raises:
            ServiceError: there is none now, and the training waits.
        """
        try:
            await self._room.take(job.id, job.details.get("memory_bytes", 0))
        except ServiceError as error:
            if error.retry_after_s is None:
                await self._failed(job.id, error.code, error.message)
                return False
            waiting = {"code": error.code, "message": error.message}
            known = (job.details.get("waiting") or {}).get("code") == error.code
            await self._record(
                job.id,
                "" if known else f"Waiting for memory: {error.message}",
                only_if=("queued", "running"),
                status="queued",
                details={"waiting": waiting},
            )
            raise
        return True

    async def _rest(self) -> None:
        """Wait until there may be work."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(IDLE_S):
                await self._wake.wait()

    async def _run(self, job: TuningJob) -> None:
        message = "Training started" if job.status == "queued" else "Training goes on after an interruption"
        async with self.starting:
            if self._closing:  # it waits for the next start
                return
            begun = await self._record(
                job.id,
                message,
                only_if=("queued", "running"),
                as_of=job,  # what joined meanwhile may need more memory
                status="running",
                attempts=job.attempts + 1,
                details={"waiting": None},
            )
            if begun is None:
                return
            stop = asyncio.Event()
            reading = asyncio.create_task(self._follow(begun, stop))
            self._current = (job.id, stop, reading)
        try:
            ended = await asyncio.shield(reading)
        except asyncio.CancelledError:
            if not reading.done():  # the runner itself is to end
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)
                raise
            await asyncio.to_thread(self._folders.remove_all, begun)
            return
        except ServiceError:
            raise
        except Exception:  # such as a machine that has no process left to give
            log.exception("training disturbed")
            ended = False
        finally:
            self._current = None
        if not ended and not self._closing:
            await self._died(job.id)

    async def _follow(self, job: TuningJob, stop: asyncio.Event) -> bool:
        """Write down what the child tells; False: it ended without its last word."""
        told = _Told(job.step, job.details.get("look", {}).get("step", -1))
        await uninterrupted(asyncio.to_thread(self._folders.take_in, job))
        async with aclosing(self.trainer.train(self._folders.of(job.id), stop)) as reports:
            async for report in reports:
                match report.get("kind"):
                    case "step":
                        await self._step(job, report, told)
                    case "look":
                        await self._look(job, report, told)
                    case "checkpoint":
                        await self._checkpoint(job, report)
                    case "done":
                        await self._done(job, report)
                        return True
                    case "stopped":
                        return True
                    case "failed":
                        await self._failed(job.id, str(report["code"]), str(report["message"]))
                        return True
        return False

    async def _step(self, job: TuningJob, report: Mapping[str, Any], told: _Told) -> None:
        now, step = time.monotonic(), int(report["step"])
        last = step == report["steps"]
        if step <= told.step or (now - told.at < TOLD_S and not last):
            return
        told.step, told.at = step, now
        data = {
            "step": step,
            "total_steps": report["steps"],
            "train_loss": round(report["loss"], 4),
            "learning_rate": report["rate"],
            "eta_s": report["eta_s"],
        }
        message = f"Step {step}/{report['steps']}: training loss={report['loss']:.4f}"
        progress = {**data, "tokens": report["tokens"], "at": time.time()}
        await self._record(
            job.id,
            message,
            data=data,
            only_if=("running",),
            step=step,
            attempts=0,
            details={"progress": progress},
        )

    async def _look(self, job: TuningJob, report: Mapping[str, Any], told: _Told) -> None:
        step = int(report["step"])
        if step <= told.look:
            return
        told.look = step
        loss, drift = round(report["held_out_loss"], 4), round(report["drift"], 4)
        data = {"step": step, "total_steps": job.steps, "valid_loss": loss, "drift": drift}
        await self._record(
            job.id,
            f"Step {step}/{job.steps}: validation loss={loss:.4f}",
            data=data,
            only_if=("running",),
            details={"look": data} | ({"base_loss": loss} if step == 0 else {}),
        )

    async def _checkpoint(self, job: TuningJob, report: Mapping[str, Any]) -> None:
        step = int(report["step"])
        model = TrainedModel(
            f"{job.model_id}:ckpt-step-{step}",
            job.owner,
            job.base,
            job.id,
            str(report["file"]),
            step,
            time.time(),
            metrics=await asyncio.to_thread(self._metrics, job),
            checkpoint=True,
        )
        await self._record(job.id, f"Checkpoint created at step {step}", only_if=UNENDED, models=(model,))
        await asyncio.to_thread(self._trained.refresh)

    async def _done(self, job: TuningJob, report: Mapping[str, Any]) -> None:
        metrics = {"valid_loss": report["held_out_loss"], "drift": report["drift"]}
        model = TrainedModel(
            job.model_id,
            job.owner,
            job.base,
            job.id,
            str(report["file"]),
            report["step"],
            time.time(),
            metrics,
        )
        result = {
            "trained_tokens": report["tokens"],
            "seconds": report["seconds"],
            "metrics": metrics,
            "best_step": report.get("best_step", report["step"]),
        }
        await self._record(
            job.id,
            f"New fine-tuned model created: {job.model_id}",
            only_if=UNENDED,
            models=(model,),
            status="succeeded",
            step=report["step"],
            finished_at=time.time(),
            details={"result": result},
        )
        log_event(log, "training done", job_id=job.id, steps=report["step"], seconds=report["seconds"])
        await asyncio.to_thread(self._trained.refresh)
        await asyncio.to_thread(self._folders.keep_models_only, job.id)

    async def _died(self, job_id: str) -> None:
        """A child ended without a word: another one goes on from its checkpoint, but not for ever."""
        job = await asyncio.to_thread(self._store.record, job_id, only_if=("running",))
        if job is None:
            return
        if job.attempts >= MOST_ATTEMPTS:
            message = (
                f"The training's process was ended {job.attempts} times before it came further, perhaps for want of "
                "memory. Choose a smaller base model, or free memory."
            )
            await self._failed(job_id, "training_process_died", message)
            return
        await asyncio.sleep(RETRY_S)

    async def _failed(self, job_id: str, code: str, message: str) -> None:
        error = {"code": code, "message": message, "param": None}
        failed = await self._record(
            job_id,
            message,
            level="error",
            only_if=UNENDED,
            status="failed",
            finished_at=time.time(),
            details={"error": error},
        )
        log_event(log, "training failed", level=logging.WARNING, job_id=job_id, code=code)
        await asyncio.to_thread(self._folders.keep_models_only, job_id)
        if failed is not None:  # what joined it and was not taken in
            await asyncio.to_thread(self._folders.remove, failed.details.get(PLAN))

    async def _record(self, job_id: str, message: str, **changes: Any) -> TuningJob | None:
        job = await asyncio.to_thread(self._store.record, job_id, message, **changes)
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
        return job

    def _metrics(self, job: TuningJob) -> Mapping[str, Any]:
        details = self._store.get(job.owner, job.id).details
        progress, look = details.get("progress", {}), details.get("look", {})
        return {"train_loss": progress.get("train_loss"), "valid_loss": look.get("valid_loss")}

    def _own_folder(self) -> bool:
        self._lock = self._lock or (self._folder / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True


class _Told:
    """The last step and look that were written down, and when the step was."""

    def __init__(self, step: int, look: int):
        self.step, self.look, self.at = step, look, float("-inf")
