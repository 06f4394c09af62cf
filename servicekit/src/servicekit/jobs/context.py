"""What a handler sees of its job: progress, cancellation, durable steps.

Knows nothing about DBOS: the step function is passed in.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from servicekit.errors import ServiceError
from servicekit.jobs.model import Job

T = TypeVar("T")
#: Progress told more often than this is thinned out; the last step is always told.
MIN_INTERVAL_S = 0.1


class JobCancelled(Exception):
    """The job was cancelled; handlers let it pass."""


class JobInterrupted(BaseException):
    """The process is stopping; the job stays as it is and goes on after the restart.

    Not an Exception, so that neither a handler nor DBOS takes it for a failure.
    """


class StepFailed(ServiceError):
    """A durable step ended in an error that the caller may see; `body()` is that error's."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(str(error.get("message", "")))
        self._error = error

    def body(self) -> dict[str, Any]:
        return {"error": self._error}


class JobContext:
    """Handed to a handler; belongs to the thread that runs it (`check_cancelled` works in any)."""

    def __init__(
        self,
        job: Job,
        *,
        record: Callable[..., Job | None],
        run_step: Callable[..., Any],
        cancelled: threading.Event,
        stopping: threading.Event,
    ) -> None:
        self.job_id = job.id
        self.owner = job.owner
        self.queue_s = max(0.0, (job.started_at or time.time()) - job.created_at)
        self._job = job
        self._record = record
        self._run_step = run_step
        self._cancelled = cancelled
        self._stopping = stopping
        self._told_at = 0.0

    def loading(self, message: str = "Loading the model") -> None:
        """Tell that the model is being loaded."""
        self.check_cancelled()
        self._record(self.job_id, status="loading", message=message)

    def progress(self, step: int, total: int, message: str = "", preview_url: str | None = None) -> None:
        """Tell that `step` of `total` is done. Raises JobCancelled."""
        self.check_cancelled()
        now, ticks = (
            time.time(),
            time.monotonic(),
        )  # the clock may be set back, and then nothing would be told
        if ticks - self._told_at < MIN_INTERVAL_S and step < total and self._told_at:
            return
        self._told_at = ticks
        changes: dict[str, Any] = {"status": "running", "step": step, "total": total, "message": message}
        if preview_url is not None:
            changes["preview_url"] = preview_url
        if self._job.first_step_at is None or step < self._job.first_step:
            changes |= {"first_step_at": now, "first_step": step}
        self._job = self._record(self.job_id, **changes) or self._job

    def rest(self, message: str) -> None:
        """Tell that the job waits for something; the pace that time left is told by begins anew. Raises JobCancelled."""
        self.check_cancelled()
        if self._job.message == message and self._job.first_step_at is None:
            return
        self._job = self._record(self.job_id, message=message, first_step_at=None) or self._job

    def check_cancelled(self) -> None:
        """Raise JobCancelled if somebody cancelled the job. Cheap: call it as often as you like."""
        if self._cancelled.is_set():
            raise JobCancelled(self.job_id)
        if self._stopping.is_set():
            raise JobInterrupted(self.job_id)

    def step(self, name: str, fn: Callable[..., T], *args: Any) -> T:
        """Run `fn(*args)` once and keep its result: after a crash the kept result is returned.

        Steps must come in the same order each time the handler runs with the same payload. The
        result must be JSON. `fn` may be run again if the process dies inside it.
        """
        self.check_cancelled()
        kept = self._run_step(name, _outcome, fn, *args)
        if "error" in kept:
            raise StepFailed(kept["error"])
        return kept["result"]


def _outcome(fn: Callable[..., Any], *args: Any) -> dict[str, Any]:
    """Turn an error that callers may see into data, so that it outlives a crash in its own words."""
    try:
        return {"result": fn(*args)}
    except ServiceError as exc:
        return {"error": exc.body()["error"]}
