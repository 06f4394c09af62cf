"""The queue of one service's jobs: submit, look, cancel, follow.

Owns who may see a job, how many may wait, and the life of a job from queued to final. What is
durable is in `store` (jobs and events) and `runtime` (DBOS). One JobQueue runs per process at a time;
stop one before starting the next.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import re
import threading
import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from servicekit import garbage
from servicekit.errors import InternalError, KeyReused, NewerDatabase, NotFound, ServiceError, TooBusy
from servicekit.jobs.context import JobCancelled, JobContext, JobInterrupted
from servicekit.jobs.model import Job, JobEvent
from servicekit.jobs.notify import Notifier
from servicekit.logs import log_event
from servicekit.retention import DAY_S, Removed

if TYPE_CHECKING:
    from servicekit.jobs.runtime import DbosRuntime
    from servicekit.jobs.store import JobStore

Handler = Callable[[JobContext, dict[str, Any]], dict[str, Any]]
#: A reader hears at least this often of a job that is not final (the promise is 2 s).
HEARTBEAT_S = 1.5
WRITE_AGAIN_S = 2.0
"""Seconds after which what the database did not take is written again: its disk may be full."""
log = logging.getLogger(__name__)


class JobQueue:
    """Run handlers durably, `concurrency` at a time, first come, first served.

    Args:
        name: the service's, such as `svc-image-gen`; part of every job id.
        database_url: SQLite or PostgreSQL, as `settings.sql_url`.
        handlers: what runs for each kind of job, in a worker thread. A handler may be run again
            from its start after a crash; what it did in `context.step` is then not done again.
        concurrency: how many run at once.
        max_waiting: how many may wait; one more is refused with TooBusy.
        lanes: a lane for each kind of job that does not wait for the others, such as one that takes hours; jobs of a
            lane run one after the other.
        seldom: a service that hardly ever has a job starts the queue with the first one, or at once where an earlier
            process left a database: the queue's libraries take 50 MB of memory and a second.
        keep_days: final jobs older than this go when one is submitted, in a service that has no sweeper.
    """

    def __init__(
        self,
        name: str,
        database_url: str,
        handlers: Mapping[str, Handler],
        concurrency: int = 1,
        *,
        max_waiting: int = 64,
        lanes: Mapping[str, str] | None = None,
        seldom: bool = False,
        keep_days: float | None = None,
    ) -> None:
        if not re.fullmatch(r"[a-z0-9-]{3,30}", name):
            raise ValueError(f"the queue name {name!r} must be 3 to 30 of a-z, 0-9 and '-'")
        self.name = name
        self.max_waiting = max_waiting
        self._url = database_url
        self._handlers = dict(handlers)
        self._concurrency = concurrency
        self._lanes = dict(lanes or {})
        self._notifier = Notifier()
        self._lock = threading.Lock()
        self._running: dict[str, threading.Event] = {}
        self._stopping = threading.Event()
        self._seldom, self.keep_days = seldom, keep_days
        self._starting = threading.Lock()
        self._store: JobStore | None = None
        self._runtime: DbosRuntime | None = None

    def start(self) -> None:
        """Open the database, resume what a crash left and begin to work. Blocks for about a second."""
        if (
            not self._seldom
            or not self._url.startswith("sqlite:///")
            or Path(self._url.removeprefix("sqlite:///")).exists()
        ):
            self._start()

    def _start(self) -> None:
        from servicekit.jobs.runtime import DbosRuntime
        from servicekit.jobs.store import JobStore

        self._stopping.clear()
        try:
            self._store = JobStore(self._url, self.name)
        except NewerDatabase as error:
            log_event(log, "jobs cannot start", level=logging.ERROR, reason=error.message)
            raise
        self._runtime = DbosRuntime(
            self.name, self._url, self._concurrency, self._execute, sorted(set(self._lanes.values()))
        )
        try:
            self._runtime.start()
        except BaseException:
            self._store.close()
            self._store = self._runtime = None
            raise
        try:
            self._reconcile()
        except BaseException:
            self.stop()
            self._store = None
            raise
        garbage.grew()

    def stop(self, drain_s: float = 5.0) -> None:
        """Interrupt running jobs at their next check, so that the next start resumes them."""
        if self._runtime is None:
            return
        self._stopping.set()
        deadline = time.monotonic() + drain_s
        while self._running and time.monotonic() < deadline:
            time.sleep(0.02)
        runtime, self._runtime = self._runtime, None
        runtime.stop()
        self._opened().close()

    def submit(
        self, kind: str, payload: dict[str, Any], owner: str, idempotency_key: str | None = None
    ) -> Job:
        """Queue a job and return it; with a key that `owner` used before, return that job. Blocks.

        Raises:
            TooBusy: `max_waiting` jobs wait already.
            KeyReused: the key was used for something else.
        """
        if kind not in self._handlers:
            raise ValueError(f"no handler for jobs of kind {kind!r}")
        with self._starting:
            if self._asleep():
                self._start()
        if self.keep_days is not None:
            self.sweep(self.keep_days)
        fingerprint = _hash(kind, json.dumps(payload, sort_keys=True))
        job_id = f"job_{self.name}_{uuid.uuid4().hex}"
        if idempotency_key is not None:
            job_id = f"job_{self.name}_{_hash(owner, idempotency_key)[:32]}"
        now = time.time()
        new = Job(
            job_id, kind, owner, "queued", payload, now, now,
            fingerprint=fingerprint, message="Waiting", seq=1,
        )  # fmt: skip
        with self._lock:
            known = self._opened().get(job_id) if idempotency_key is not None else None
            if known is None:
                self._check_room()
                self._opened().add(new)
        if known is not None:
            if known.fingerprint != fingerprint:
                raise KeyReused()
            if known.final:
                return known
        self._running_runtime().enqueue(job_id, self._lanes.get(kind))
        return known or new

    def get(self, job_id: str, owner: str) -> Job:
        """Give a job of `owner`. Raises NotFound, also for somebody else's."""
        job = None if self._asleep() else self._opened().get(job_id)
        if job is None or job.owner != owner:
            raise NotFound(f"There is no job '{job_id[:100]}', or it was removed after its retention time.")
        return job

    def list(self, owner: str, limit: int = 100) -> list[Job]:
        """Give the jobs of `owner`, newest first."""
        return [] if self._asleep() else self._opened().of_owner(owner, limit)

    def unfinished(self, kind: str) -> Sequence[Job]:
        """Give every job of `kind` that waits or runs, whoever owns it."""
        there = () if self._asleep() else self._opened().unfinished()
        return [job for job in there if job.kind == kind]

    def cancel(self, job_id: str, owner: str) -> Job:
        """Cancel a job: at once if it waits, at its next check if it runs; a final one stays as it is."""
        job = self.get(job_id, owner)
        if job.final:
            return job
        store = self._opened()
        store.request_cancel(job_id)
        store.record(job_id, only_if="queued", status="cancelled", message="Cancelled")
        with self._lock:
            running = self._running.get(job_id)
        if running is not None:
            running.set()
        else:  # a crash left it, and it is not resumed yet: whoever comes to it sees that it was cancelled
            store.record(job_id, status="cancelled", message="Cancelled")
        self._running_runtime().cancel(job_id)
        self._notifier.publish(job_id)
        return self.get(job_id, owner)

    def load(self) -> dict[str, int]:
        """Give `{"running", "waiting"}`."""
        return {"running": 0, "waiting": 0} if self._asleep() else self._opened().count()

    def sweep(self, max_age_days: float) -> dict[str, Removed]:
        """Remove final jobs older than `max_age_days`; give how many."""
        ids = self._opened().sweep(time.time() - max_age_days * DAY_S)
        self._running_runtime().forget(ids)
        return {"jobs": Removed(len(ids))}

    async def events(self, job_id: str, owner: str, after: int = 0) -> AsyncIterator[JobEvent]:
        """Follow a job: its events after number `after`, then new ones, until a final one.

        While nothing happens a heartbeat (the latest state under the latest number) comes every
        HEARTBEAT_S. Raises NotFound as `get` does.
        """
        await asyncio.to_thread(self.get, job_id, owner)
        store = self._opened()
        with self._notifier.subscribed(job_id) as changed:
            while True:
                changed.clear()
                for event in await asyncio.to_thread(store.events, job_id, after):
                    after = event.seq
                    yield event
                job = await asyncio.to_thread(self.get, job_id, owner)
                if job.final and job.seq <= after:
                    return
                if job.seq > after:
                    continue
                try:
                    async with asyncio.timeout(HEARTBEAT_S):
                        await changed.wait()
                except TimeoutError:
                    job = await asyncio.to_thread(self.get, job_id, owner)
                    if job.seq == after and not job.final:
                        yield JobEvent(after, job.event_body(), heartbeat=True)

    def events_after(self, job_id: str, after: int) -> Sequence[JobEvent]:
        """Give the events of a job after number `after` that are there now; the caller may see the job. Blocks."""
        return self._opened().events(job_id, after)

    async def wait(self, job_id: str) -> Job:
        """Wait until a job is final and return it; the caller knows that it may see it."""
        store = self._opened()
        with self._notifier.subscribed(job_id) as changed:
            while True:
                changed.clear()
                job = await asyncio.to_thread(store.get, job_id)
                if job is None:
                    raise NotFound(f"There is no job '{job_id[:100]}'.")
                if job.final:
                    return job
                try:
                    async with asyncio.timeout(HEARTBEAT_S):
                        await changed.wait()
                except TimeoutError:
                    continue

    def _execute(self, job_id: str) -> None:
        """Run one job's handler; called by the runtime in a worker thread, perhaps once more after a crash."""
        store = self._opened()
        cancelled = threading.Event()
        with self._lock:
            self._running[job_id] = cancelled
        try:
            job = store.get(job_id)
            if job is None or job.final:
                return
            if job.cancel_requested:
                raise JobCancelled(job_id)
            started = job.started_at or time.time()
            begun = self._surely(
                job_id, status="running", message="Started", started_at=started, first_step_at=None
            )
            if begun is None:
                return
            context = JobContext(
                begun,
                record=self._tell,
                run_step=self._running_runtime().run_step,
                cancelled=cancelled,
                stopping=self._stopping,
            )
            result = self._handlers[job.kind](context, job.payload)
            self._surely(job_id, status="completed", message="Done", result=result)
        except JobCancelled:
            self._surely(job_id, status="cancelled", message="Cancelled")
        except Exception as exc:
            self._fail(job_id, exc)
        except BaseException:
            # DBOS's own "cancelled" is none of Exception, as is our JobInterrupted.
            if cancelled.is_set():
                self._surely(job_id, status="cancelled", message="Cancelled")
            raise
        finally:
            with self._lock:
                self._running.pop(job_id, None)

    def _fail(self, job_id: str, exc: Exception, write: Callable[..., Job | None] | None = None) -> None:
        if self._stopping.is_set():
            # With the database closing, an error says nothing about the job: leave it to the next start.
            raise JobInterrupted(job_id) from exc
        if isinstance(exc, ServiceError):
            error = exc.body()["error"]
        else:
            log.error("job failed", extra={"fields": {"job_id": job_id}}, exc_info=exc)
            error = InternalError("The job failed by an internal error. The service's log says why.").body()[
                "error"
            ]
        (write or self._surely)(job_id, status="failed", message=error["message"], error=error)
        log_event(log, "job failed", level=logging.WARNING, job_id=job_id, code=error.get("code"))

    def _surely(self, job_id: str, **changes: Any) -> Job | None:
        """Write the beginning or the end of a job, however long that takes: it would count as running for ever.

        Raises JobInterrupted when the process stops first; the next start runs the job again.
        """
        while True:
            try:
                return self._record(job_id, preview_url=None, **changes)  # previews go with the work
            except _away() as error:
                reason, status = type(error).__name__, changes["status"]
                log_event(
                    log, "job not written", level=logging.ERROR, job_id=job_id, status=status, reason=reason
                )
                if self._stopping.wait(WRITE_AGAIN_S):
                    raise JobInterrupted(job_id) from error

    def _tell(self, job_id: str, **changes: Any) -> Job | None:
        """Write how far a job is, or go on without: work does not fail because it cannot be told of."""
        try:
            return self._record(job_id, **changes)
        except _away():
            return None

    def _record(self, job_id: str, **changes: Any) -> Job | None:
        job = self._opened().record(job_id, **changes)
        self._notifier.publish(job_id)
        return job

    def _reconcile(self) -> None:
        """Bring both records together after a crash between two writes. Raises what the database raises."""
        runtime = self._running_runtime()
        for job in self._opened().unfinished():
            status = runtime.status(job.id)
            if job.cancel_requested or status == "CANCELLED":
                runtime.cancel(job.id)
                self._record(job.id, status="cancelled", message="Cancelled")
            elif status is None:
                runtime.enqueue(job.id, self._lanes.get(job.kind))
            elif status not in ("PENDING", "ENQUEUED", "DELAYED"):
                given_up = RuntimeError(f"the job was given up in state {status}")
                once = partial(self._record, preview_url=None)  # a start fails rather than waits without end
                self._fail(job.id, given_up, once)

    def _check_room(self) -> None:
        waiting = self._opened().count()["waiting"]
        if waiting >= self.max_waiting:
            raise TooBusy(
                f"{waiting} jobs are waiting, and {self.max_waiting} may. Try again in a while.",
                retry_after_s=10,
            )

    def _asleep(self) -> bool:
        """Whether this is a queue that waits for its first job."""
        return self._seldom and self._store is None

    def _opened(self) -> JobStore:
        if self._store is None:
            raise RuntimeError("the JobQueue is not started")
        return self._store

    def _running_runtime(self) -> DbosRuntime:
        if self._runtime is None:
            raise RuntimeError("the JobQueue is not started")
        return self._runtime


def _away() -> tuple[type[Exception], ...]:
    """Return what is raised while the database is away, locked or full; imported as late as the rest of it."""
    from sqlalchemy.exc import InterfaceError, OperationalError

    return InterfaceError, OperationalError


def _hash(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
