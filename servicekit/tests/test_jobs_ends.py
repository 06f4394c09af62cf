"""Every job comes to an end that its owner sees: when the database is away at its end, and when nobody runs it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy.exc import DataError, OperationalError

from servicekit.errors import NotFound
from servicekit.jobs import FINAL, Job, JobContext, JobQueue
from servicekit.jobs import context as context_module
from servicekit.jobs import queue as queue_module


def answer(ctx: JobContext, payload: dict[str, Any]) -> dict[str, Any]:
    return {"n": payload["n"]}


def crash(ctx: JobContext, payload: dict[str, Any]) -> dict[str, Any]:
    raise RuntimeError("broken")


@pytest.fixture(scope="module")
def queue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JobQueue]:
    made = JobQueue(
        "svc-ends",
        f"sqlite:///{tmp_path_factory.mktemp('ends') / 'jobs.db'}",
        {"answer": answer, "crash": crash},
    )
    made.start()
    yield made
    made.stop()


@pytest.mark.parametrize(("kind", "status"), [("answer", "completed"), ("crash", "failed")])
async def test_an_end_that_cannot_be_written_is_written_later(
    queue: JobQueue, monkeypatch: pytest.MonkeyPatch, kind: str, status: str
) -> None:
    store, tried = queue._opened(), []
    write = store.record

    def record(job_id: str, only_if: str | None = None, **changes: Any) -> Job | None:
        if changes.get("status") in FINAL:
            tried.append(changes["status"])
            if len(tried) < 4:
                raise OperationalError("UPDATE jobs", {}, Exception("database or disk is full"))
        return write(job_id, only_if, **changes)

    monkeypatch.setattr(store, "record", record)
    monkeypatch.setattr(queue_module, "WRITE_AGAIN_S", 0.01)
    job = queue.submit(kind, {"n": 1}, "ana")
    deadline = time.monotonic() + 60
    while not (now := queue.get(job.id, "ana")).final:
        assert time.monotonic() < deadline, (now, tried)
        await asyncio.sleep(0.01)
    assert now.status == status and set(tried) == {status}


async def test_a_job_that_has_ended_points_to_no_preview(queue: JobQueue) -> None:
    def draw(ctx: JobContext, payload: dict[str, Any]) -> dict[str, Any]:
        ctx.progress(1, 2, "step 1", "/media/img_preview?step=1")
        return {}

    queue._handlers["draw"] = draw
    job = queue.submit("draw", {}, "ana")
    told = [event.body async for event in queue.events(job.id, "ana")]
    assert "/media/img_preview?step=1" in [body["preview_url"] for body in told]
    assert told[-1]["status"] == "completed" and told[-1]["preview_url"] is None
    assert queue.get(job.id, "ana").preview_url is None


async def test_a_service_without_a_sweeper_keeps_no_finished_job_for_ever(queue: JobQueue) -> None:
    first = queue.submit("answer", {"n": 1}, "ana")
    async with asyncio.timeout(60):
        await queue.wait(first.id)
        queue.keep_days = 7
        second = queue.submit("answer", {"n": 2}, "ana")
        await queue.wait(second.id)
        assert queue.get(first.id, "ana").final, "it is younger than that"
        queue.keep_days = -1
        try:
            third = queue.submit("answer", {"n": 3}, "ana")
        finally:
            queue.keep_days = None
        assert (await queue.wait(third.id)).status == "completed"
    for gone in (first, second):
        with pytest.raises(NotFound):
            queue.get(gone.id, "ana")


async def test_work_goes_on_although_its_progress_cannot_be_written(
    queue: JobQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    def count(ctx: JobContext, payload: dict[str, Any]) -> dict[str, Any]:
        ctx.loading()
        for step in (1, 2, 3):
            ctx.progress(step, 3)
        ctx.rest("waiting")
        return {"counted": 3}

    write, failed = queue._opened().record, []

    def record(job_id: str, only_if: str | None = None, **changes: Any) -> Job | None:
        lost = changes.get("status") not in FINAL and (len(failed) < 2 or changes["message"] != "Started")
        if lost:
            failed.append(changes)
            raise OperationalError("UPDATE jobs", {}, Exception("database is locked"))
        return write(job_id, only_if, **changes)

    queue._handlers["count"] = count
    monkeypatch.setattr(queue._opened(), "record", record)
    monkeypatch.setattr(queue_module, "WRITE_AGAIN_S", 0.01)
    job = queue.submit("count", {}, "ana")
    async with asyncio.timeout(60):
        assert (await queue.wait(job.id)).result == {"counted": 3}
    assert len(failed) >= 5 and failed[0]["message"] == failed[1]["message"] == "Started"


async def test_a_result_that_no_database_takes_is_a_failure(
    queue: JobQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = queue._opened().record

    def record(job_id: str, only_if: str | None = None, **changes: Any) -> Job | None:
        if changes.get("status") == "completed":
            raise DataError("UPDATE jobs", {}, Exception("a text cannot contain NUL"))
        return write(job_id, only_if, **changes)

    monkeypatch.setattr(queue._opened(), "record", record)
    job = queue.submit("answer", {"n": 1}, "ana")
    async with asyncio.timeout(60):
        assert (await queue.wait(job.id)).status == "failed"


def test_a_job_that_a_crash_left_can_be_cancelled_before_it_is_resumed(queue: JobQueue) -> None:
    now = time.time()
    left = Job("job_svc-ends_left", "answer", "ana", "running", {"n": 1}, now, now, started_at=now)
    assert queue._opened().add(left)
    assert queue.cancel(left.id, "ana").status == "cancelled"
    assert queue.unfinished("answer") == []


def test_progress_is_told_on_although_the_clock_was_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    class Clock:
        now = 1_000_000.0

        def monotonic(self) -> float:
            return time.monotonic()

        def time(self) -> float:
            return self.now

    clock, told = Clock(), []
    monkeypatch.setattr(context_module, "time", clock)
    monkeypatch.setattr(context_module, "MIN_INTERVAL_S", 0.0)
    job = Job("j", "answer", "ana", "running", {}, 0.0, 0.0)
    context = JobContext(
        job,
        record=lambda _, **changes: told.append(changes["step"]),
        run_step=lambda: None,
        cancelled=threading.Event(),
        stopping=threading.Event(),
    )
    context.progress(1, 10)
    clock.now -= 3600  # as a time server does
    context.progress(2, 10)
    assert told == [1, 2]


@pytest.mark.parametrize("status", ["loading", "running", "failed", "cancelled"])
def test_a_job_that_is_not_done_is_not_told_as_whole_nor_as_over_in_no_time(status: Any) -> None:
    job = Job("j", "answer", "ana", status, {}, 0.0, 20.0, first_step_at=10.0, first_step=1, step=9, total=9)
    assert job.percent == 99.0 and job.eta_s(21.0) is None
