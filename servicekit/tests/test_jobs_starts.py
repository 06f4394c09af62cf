"""A queue that cannot put its records right at the start fails, and can be started again."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from servicekit.jobs import Job, JobQueue
from servicekit.jobs import queue as queue_module
from servicekit.jobs.runtime import DbosRuntime
from servicekit.jobs.store import JobStore


def test_a_given_up_job_in_a_database_that_cannot_be_written_fails_the_start_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, now = f"sqlite:///{tmp_path / 'jobs.db'}", time.time()
    queue = JobQueue("svc-starts", url, {"answer": lambda ctx, payload: {}})
    queue.start()
    queue._opened().add(Job("job_svc-starts_left", "answer", "ana", "running", {}, now, now, started_at=now))
    queue.stop()
    monkeypatch.setattr(DbosRuntime, "status", lambda *_: "MAX_RECOVERY_ATTEMPTS_EXCEEDED")
    monkeypatch.setattr(queue_module, "WRITE_AGAIN_S", 0.01)
    tried: list[str] = []

    def full(self: JobStore, job_id: str, *_: Any, **__: Any) -> None:
        tried.append(job_id)
        if len(tried) > 20:
            raise AssertionError("the start goes on trying")
        raise OperationalError("UPDATE jobs", {}, Exception("database or disk is full"))

    with monkeypatch.context() as while_full:
        while_full.setattr(JobStore, "record", full)
        with pytest.raises(OperationalError):
            queue.start()
    assert tried == ["job_svc-starts_left"]
    queue.start()
    try:
        assert queue.get("job_svc-starts_left", "ana").status == "failed"
    finally:
        queue.stop()
