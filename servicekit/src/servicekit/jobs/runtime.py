"""DBOS, tamed: the one place that knows it.

DBOS is a singleton of the process, so only one runtime can be started at a time; starting a second
is an error. Its tables live beside ours in the same database. It is told neither payloads nor
results of jobs, only ids and the results of steps, as JSON (never pickles). It opens no port and
speaks to nobody: without a Conductor key and OTLP it has no network.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer, SetWorkflowID
from dbos import _dbos as dbos_globals

#: Jobs of an older build are resumed by a newer one: handlers keep the order of their steps.
APPLICATION_VERSION = "1"
#: A job that takes the process down so often is given up.
MAX_RECOVERIES = 60
POLL_S = 0.25


class DbosRuntime:
    """Run `execute(job_id)` durably for every enqueued id, `concurrency` at a time and one at a time in each lane."""

    def __init__(
        self,
        name: str,
        database_url: str,
        concurrency: int,
        execute: Callable[[str], None],
        lanes: Sequence[str] = (),
    ) -> None:
        self._name = name
        self._url = database_url
        self._concurrency = concurrency
        self._execute = execute
        self._lanes = lanes
        # DBOS refuses synchronous calls on a thread with a running event loop: they get their own.
        self._calls = ThreadPoolExecutor(1, thread_name_prefix="jobs-dbos")
        self._workflow: Callable[[str], None] | None = None

    def start(self) -> None:
        self._calls.submit(self._start).result()

    def _start(self) -> None:
        if dbos_globals._dbos_global_instance is not None:
            raise RuntimeError("another JobQueue runs in this process; stop it first")
        _adopt_logger()
        config: DBOSConfig = {
            "name": self._name,
            "system_database_url": self._url,
            "application_version": APPLICATION_VERSION,
            "executor_id": self._name,
            "serializer": DBOSPortableJSONSerializer(),
            "enable_otlp": False,
            "log_level": "WARNING",
        }
        DBOS(config=config)
        execute = self._execute

        def job(job_id: str) -> None:
            execute(job_id)

        self._workflow = DBOS.workflow(name="job", max_recovery_attempts=MAX_RECOVERIES)(job)
        DBOS.launch()
        for queue, concurrency in (
            (self._name, self._concurrency),
            *((self._lane(n), 1) for n in self._lanes),
        ):
            DBOS.register_queue(
                queue,
                worker_concurrency=concurrency,
                polling_interval_sec=POLL_S,
                on_conflict="always_update",
            )

    def _lane(self, lane: str | None) -> str:
        return self._name if lane is None else f"{self._name}-{lane}"

    def stop(self) -> None:
        self._calls.submit(lambda: DBOS.destroy(destroy_registry=True)).result()
        self._calls.shutdown(wait=True)

    def enqueue(self, job_id: str, lane: str | None = None) -> None:
        """Enqueue a job; a no-op if it was enqueued before."""
        self._calls.submit(self._enqueue, job_id, self._lane(lane)).result()

    def _enqueue(self, job_id: str, queue: str) -> None:
        assert self._workflow is not None
        with SetWorkflowID(job_id):
            DBOS.enqueue_workflow(queue, self._workflow, job_id)

    def cancel(self, job_id: str) -> None:
        """Keep a job from being started or resumed; the one that runs sees it at its next step."""
        self._calls.submit(DBOS.cancel_workflow, job_id).result()

    def status(self, job_id: str) -> str | None:
        """Give DBOS's status of a job, None if it never heard of it."""
        found = self._calls.submit(DBOS.get_workflow_status, job_id).result()
        return found.status if found is not None else None

    def forget(self, job_ids: list[str]) -> None:
        """Remove what is kept about final jobs."""
        if job_ids:
            self._calls.submit(DBOS.delete_workflows, job_ids).result()

    @staticmethod
    def run_step(name: str, fn: Callable[..., Any], *args: Any) -> Any:
        """Run one durable step of the job that this thread executes."""
        return DBOS.run_step({"name": name}, fn, *args)


def _adopt_logger() -> None:
    """Let DBOS log through this process's JSON handler: it adds its own only where it finds none."""
    logger = logging.getLogger("dbos")
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
    logger.addHandler(logging.NullHandler())
    logger.propagate = True
