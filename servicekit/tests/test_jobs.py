"""Jobs run once, in order, can be cancelled and are seen by their owner alone."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from fastapi.testclient import TestClient

from servicekit import jobs
from servicekit.auth import Identity, identity_of
from servicekit.errors import BadRequest, KeyReused, NotFound, ServiceError, TooBusy
from servicekit.jobs import Job, JobContext, JobEvent, JobQueue
from servicekit.jobs import queue as queue_module


class Work:
    """Handlers that tell what they did; `gate` holds the kind `gated` back."""

    def __init__(self) -> None:
        self.runs: list[str] = []
        self.active = 0
        self.most_active = 0
        self.gate = threading.Event()

    def count(self, ctx: JobContext, payload: dict[str, Any]) -> dict[str, Any]:
        self.runs.append(ctx.job_id)
        for number in range(1, payload["to"] + 1):
            ctx.progress(number, payload["to"], f"step {number}")
        return {"counted": payload["to"]}

    def gated(self, ctx: JobContext, payload: dict[str, Any]) -> dict[str, Any]:
        self.runs.append(ctx.job_id)
        self.active += 1
        self.most_active = max(self.most_active, self.active)
        try:
            deadline = time.monotonic() + 300
            while not self.gate.wait(0.01) and time.monotonic() < deadline:
                ctx.check_cancelled()
        finally:
            self.active -= 1
        return {}

    def refuse(self, ctx: JobContext, payload: dict[str, Any]) -> dict[str, Any]:
        def step() -> None:
            raise BadRequest("The number is 7, at most 3 are allowed.", param="n")

        return {"never": ctx.step("check", step)}

    def crash(self, ctx: JobContext, payload: dict[str, Any]) -> dict[str, Any]:
        raise RuntimeError("/secret/path")


class Bench:
    """The queue of all tests here (starting one takes a second) and the work of the present test."""

    def __init__(self, database_url: str) -> None:
        self.work = Work()
        handlers = {kind: self._handler(kind) for kind in ("count", "gated", "refuse", "crash")}
        self.queue = JobQueue("svc-test", database_url, handlers, max_waiting=4)

    def _handler(self, kind: str) -> jobs.Handler:
        return lambda ctx, payload: getattr(self.work, kind)(ctx, payload)

    def clear(self) -> None:
        for owner in ("ana", "bob"):
            for job in self.queue.list(owner):
                self.queue.cancel(job.id, owner)
        self.work.gate.set()
        deadline = time.monotonic() + 60
        while any(self.queue.load().values()) and time.monotonic() < deadline:
            threading.Event().wait(0.01)
        self.queue.sweep(-1)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    bench = Bench(f"sqlite:///{tmp_path_factory.mktemp('jobs') / 'jobs.db'}")
    bench.queue.start()
    yield bench
    bench.queue.stop()


@pytest.fixture
def work(bench: Bench) -> Work:
    bench.work = Work()
    return bench.work


@pytest.fixture
def queue(bench: Bench, work: Work) -> Iterator[JobQueue]:
    yield bench.queue
    bench.clear()


async def until(holds: Callable[[], bool], within_s: float = 60) -> None:
    async with asyncio.timeout(within_s):
        while not holds():  # noqa: ASYNC110 - polls what threads do
            await asyncio.sleep(0.01)


async def follow(queue: JobQueue, job: Job, after: int = 0) -> list[JobEvent]:
    return [event async for event in queue.events(job.id, job.owner, after)]


async def test_a_job_runs_and_tells_its_result(queue: JobQueue) -> None:
    job = queue.submit("count", {"to": 3}, "ana")
    assert job.id.startswith("job_svc-test_") and job.status == "queued"
    done = await queue.wait(job.id)
    assert (done.status, done.result, done.percent) == ("completed", {"counted": 3}, 100.0)


async def test_events_come_in_order_without_gaps_and_end_with_the_result(queue: JobQueue) -> None:
    events = await follow(queue, queue.submit("count", {"to": 5}, "ana"))
    told = [event for event in events if not event.heartbeat]
    assert [event.seq for event in told] == list(range(1, len(told) + 1))
    assert told[0].body["status"] == "queued" and told[-1].body["status"] == "completed"
    assert told[-1].body["result"] == {"counted": 5}
    steps = [event.body["step"] for event in told]
    assert steps == sorted(steps) and steps[-1] == 5


async def test_events_go_on_after_the_last_one_seen(queue: JobQueue) -> None:
    job = queue.submit("count", {"to": 2}, "ana")
    everything = [event for event in await follow(queue, job) if not event.heartbeat]
    assert await follow(queue, job, after=everything[1].seq) == everything[2:]


async def test_a_heartbeat_comes_while_nothing_happens(queue: JobQueue, work: Work) -> None:
    job = queue.submit("gated", {}, "ana")
    await until(lambda: work.active == 1)
    began = time.monotonic()
    async with asyncio.timeout(60):
        async for event in queue.events(job.id, "ana"):
            if event.heartbeat:
                assert event.body["status"] == "running"
                break
    assert queue_module.HEARTBEAT_S < 2 and time.monotonic() - began > queue_module.HEARTBEAT_S / 2


async def test_one_runs_at_a_time_and_the_first_comes_first(queue: JobQueue, work: Work) -> None:
    submitted = [queue.submit("gated", {"n": n}, "ana") for n in range(3)]
    await until(lambda: work.active == 1)
    assert queue.load() == {"running": 1, "waiting": 2}
    work.gate.set()
    for job in submitted:
        await queue.wait(job.id)
    assert work.runs == [job.id for job in submitted] and work.most_active == 1


async def test_a_full_queue_refuses_one_more(queue: JobQueue, work: Work) -> None:
    queue.submit("gated", {}, "ana")
    await until(lambda: work.active == 1)
    for number in range(4):
        queue.submit("gated", {"n": number}, "ana")
    with pytest.raises(TooBusy) as caught:
        queue.submit("gated", {}, "ana")
    assert caught.value.retry_after_s


async def test_a_hundred_calls_with_one_key_are_one_execution(queue: JobQueue, work: Work) -> None:
    def submit(_: int) -> str:
        return queue.submit("count", {"to": 1}, "ana", "key-1").id

    with ThreadPoolExecutor(16) as pool:
        ids = set(await asyncio.to_thread(lambda: list(pool.map(submit, range(100)))))
    assert len(ids) == 1
    await queue.wait(ids.pop())
    queue.submit("count", {"to": 1}, "ana", "key-1")
    assert len(work.runs) == 1


def test_a_key_belongs_to_its_owner(queue: JobQueue) -> None:
    ana = queue.submit("count", {"to": 1}, "ana", "key-1")
    assert queue.submit("count", {"to": 1}, "bob", "key-1").id != ana.id


def test_a_key_used_for_something_else_is_refused(queue: JobQueue) -> None:
    queue.submit("count", {"to": 1}, "ana", "key-1")
    with pytest.raises(KeyReused):
        queue.submit("count", {"to": 2}, "ana", "key-1")


async def test_a_running_job_is_cancelled_at_its_next_check(queue: JobQueue, work: Work) -> None:
    job = queue.submit("gated", {}, "ana")
    await until(lambda: work.active == 1)
    queue.cancel(job.id, "ana")  # else it would go on for minutes, and end as completed
    assert (await queue.wait(job.id)).status == "cancelled"
    await until(lambda: work.active == 0)
    after = queue.submit("count", {"to": 1}, "ana")
    assert (await queue.wait(after.id)).status == "completed"


async def test_a_waiting_job_is_cancelled_at_once_and_never_runs(queue: JobQueue, work: Work) -> None:
    first, second = queue.submit("gated", {"n": 1}, "ana"), queue.submit("gated", {"n": 2}, "ana")
    await until(lambda: work.active == 1)
    assert queue.cancel(second.id, "ana").status == "cancelled"
    work.gate.set()
    await queue.wait(first.id)
    last = queue.submit("count", {"to": 1}, "ana")
    await queue.wait(last.id)
    assert second.id not in work.runs


async def test_a_final_job_cannot_be_cancelled_any_more(queue: JobQueue) -> None:
    job = queue.submit("count", {"to": 1}, "ana")
    await queue.wait(job.id)
    assert queue.cancel(job.id, "ana").status == "completed"


async def test_an_error_for_the_caller_keeps_its_words(queue: JobQueue) -> None:
    job = await queue.wait(queue.submit("refuse", {}, "ana").id)
    assert job.status == "failed" and job.error is not None
    assert (job.error["code"], job.error["param"]) == ("invalid_value", "n") and "at most 3" in job.error[
        "message"
    ]


async def test_an_internal_error_tells_no_secret(queue: JobQueue) -> None:
    job = await queue.wait(queue.submit("crash", {}, "ana").id)
    assert job.status == "failed" and job.error is not None
    assert job.error["code"] == "internal_error" and "secret" not in str(job.as_dict())


async def test_only_the_owner_sees_a_job(queue: JobQueue) -> None:
    job = queue.submit("count", {"to": 1}, "ana")
    for act in (queue.get, queue.cancel):
        with pytest.raises(NotFound):
            act(job.id, "bob")
    with pytest.raises(NotFound):
        await follow(queue, Job(job.id, "count", "bob", "queued", {}, 0, 0))
    assert queue.list("bob") == [] and [j.id for j in queue.list("ana")] == [job.id]


async def test_a_sweep_removes_old_final_jobs(queue: JobQueue) -> None:
    job = queue.submit("count", {"to": 1}, "ana")
    await queue.wait(job.id)
    assert queue.sweep(1)["jobs"].items == 0
    assert queue.sweep(-1)["jobs"].items == 1
    with pytest.raises(NotFound):
        queue.get(job.id, "ana")


async def test_stopping_leaves_a_running_job_for_the_next_start(queue: JobQueue, work: Work) -> None:
    job = queue.submit("gated", {}, "ana")
    await until(lambda: work.active == 1)
    await asyncio.to_thread(queue.stop)
    assert work.active == 0
    work.gate.set()
    await asyncio.to_thread(queue.start)
    assert (await queue.wait(job.id)).status == "completed" and work.runs == [job.id] * 2


async def test_a_second_queue_in_the_process_is_refused_while_one_runs(
    queue: JobQueue, tmp_path: Path
) -> None:
    other = JobQueue("svc-other", f"sqlite:///{tmp_path / 'other.db'}", {})
    with pytest.raises(RuntimeError, match="another JobQueue"):
        await asyncio.to_thread(other.start)


@pytest.fixture
def client(queue: JobQueue) -> TestClient:
    app = FastAPI()
    app.include_router(jobs.router(queue))
    app.dependency_overrides[identity_of] = lambda: Identity("ana", "ana", "member", frozenset({"*"}))

    @app.exception_handler(ServiceError)
    async def answer(request: Request, exc: ServiceError) -> JSONResponse:
        return JSONResponse(exc.body(), exc.status)

    return TestClient(app)


def test_a_job_is_listed_looked_at_and_cancelled_over_http(client: TestClient, queue: JobQueue) -> None:
    job = queue.submit("gated", {}, "ana")
    assert client.get("/v1/jobs").json()["data"][0]["id"] == job.id
    assert set(client.get(f"/v1/jobs/{job.id}").json()) >= {
        "id", "kind", "status", "step", "total", "percent", "eta_s", "message", "preview_url", "result",
        "error", "created_at", "updated_at",
    }  # fmt: skip
    assert client.delete(f"/v1/jobs/{job.id}").status_code == 200
    foreign = queue.submit("count", {"to": 1}, "bob")
    for method, path in (("GET", ""), ("GET", "/events"), ("DELETE", "")):
        assert client.request(method, f"/v1/jobs/{foreign.id}{path}").status_code == 404


def test_a_stream_is_resumed_by_last_event_id_and_ends_for_good(client: TestClient, queue: JobQueue) -> None:
    job = queue.submit("count", {"to": 2}, "ana")
    text = client.get(f"/v1/jobs/{job.id}/events").text
    ids = [line.removeprefix("id: ") for line in text.splitlines() if line.startswith("id: ")]
    assert text.startswith(":") and '"completed"' in text
    again = client.get(f"/v1/jobs/{job.id}/events", headers={"Last-Event-ID": ids[0]}).text
    assert f"id: {ids[0]}\n" not in again and f"id: {ids[-1]}\n" in again
    assert client.get(f"/v1/jobs/{job.id}/events", headers={"Last-Event-ID": ids[-1]}).status_code == 204
    assert client.get(f"/v1/jobs/{job.id}/events", headers={"Last-Event-ID": "nonsense"}).status_code == 200


@pytest.mark.parametrize("seen", ["9" * 30, "9" * 5000])
def test_a_last_event_beyond_all_numbers_breaks_no_stream(
    client: TestClient, queue: JobQueue, seen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = queue.submit("gated", {}, "ana")
    events = queue.events

    def followed(*asked: Any) -> Any:
        ending.start()  # not before: a stream of a job that has ended is none
        return events(*asked)

    ending = threading.Timer(0.3, queue.cancel, (job.id, "ana"))
    monkeypatch.setattr(queue, "events", followed)
    answer = client.get(f"/v1/jobs/{job.id}/events", headers={"Last-Event-ID": seen})
    ending.join()
    assert answer.status_code == 200 and "id:" not in answer.text


def test_a_queue_that_seldom_works_starts_with_its_first_job(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/seldom.db"
    queue = JobQueue("svc-seldom", url, {"count": Work().count}, seldom=True)
    queue.start()
    assert not (tmp_path / "seldom.db").exists()
    assert (list(queue.list("ana")), list(queue.unfinished("count")), queue.load()["waiting"]) == ([], [], 0)
    with pytest.raises(NotFound):
        queue.get("job_svc-seldom_1", "ana")
