"""What dies comes back, the others go on, and nothing acknowledged is lost."""

from __future__ import annotations

import os
import signal
import time

import httpx
import pytest

from deploy import supervisor
from deploy.layout import load
from tests.conftest import Stack
from tests.e2e.conftest import finished_job, until

pytestmark = pytest.mark.e2e
SERVICES = ["svc-chat", "svc-image-gen", "svc-vision", "svc-translate", "svc-tts", "svc-rag"]
TOLD_WITHIN_S = 30.0
BACK_WITHIN_S = 150.0


def kill(stack: Stack, name: str, signal_number: int = signal.SIGKILL) -> int:
    """Send a signal to one process of the stack; return its number."""
    if stack.data_dir is None:
        pytest.skip("the stack was started by somebody else: its processes are not ours to kill")
    layout = load(str(stack.data_dir), stack.port_offset)
    pid = next(int(str(p["pid"])) for p in supervisor.processes(layout) if p["name"] == name)
    os.kill(pid, signal_number)
    return pid


def status_of(gateway: httpx.Client, name: str) -> str:
    """Return what `/api/status` says of a service; `slow` is ready, on a busy machine."""
    status = str(gateway.get("/api/status").json()["services"][name.removeprefix("svc-")]["status"])
    return "ready" if status == "slow" else status


@pytest.mark.parametrize("victim", SERVICES)
def test_a_killed_service_is_told_of_and_comes_back_by_itself(
    stack: Stack, gateway: httpx.Client, victim: str
) -> None:
    until(lambda: status_of(gateway, victim) == "ready", BACK_WITHIN_S)
    kill(stack, victim)
    until(lambda: status_of(gateway, victim) != "ready", TOLD_WITHIN_S)
    for other in SERVICES:
        if other != victim:
            with stack.client(other) as client:
                assert client.get("/v1/models").status_code == 200, other
    until(lambda: status_of(gateway, victim) == "ready", BACK_WITHIN_S)
    with stack.client(victim) as client:
        assert client.get("/v1/models").status_code == 200


def test_while_a_service_is_away_only_its_calls_are_503(stack: Stack, gateway: httpx.Client) -> None:
    kill(stack, "svc-translate")
    refused = gateway.post("/v1/translations", json={"text": f"a star {time.time()}", "target": "pt"})
    assert gateway.post("/chat", json={"msg": "Olá!"}).status_code == 200
    if refused.status_code != 200:  # it may be back already
        assert refused.status_code == 503
        assert int(refused.headers["retry-after"]) >= 1
        assert "translate" in refused.json()["error"]["message"]
    until(lambda: status_of(gateway, "svc-translate") == "ready", BACK_WITHIN_S)


def test_the_gateway_comes_back_and_old_keys_still_work(stack: Stack, gateway: httpx.Client) -> None:
    kill(stack, "gateway")
    with stack.client("svc-tts") as client:
        assert client.get("/healthz").status_code == 200
    until(lambda: gateway.get("/v1/models").status_code == 200, BACK_WITHIN_S)


def test_a_killed_image_job_is_finished(stack: Stack, gateway: httpx.Client) -> None:
    body = {"prompt": "a blue star on a white background", "size": "256x256", "steps": 60}
    accepted = gateway.post("/v1/images/generations", json=body, headers={"Prefer": "respond-async"})
    job_id = accepted.json()["id"]
    until(lambda: (gateway.get(f"/v1/jobs/{job_id}").json().get("step") or 0) >= 2, 120)
    kill(stack, "svc-image-gen")
    until(lambda: gateway.get(f"/v1/jobs/{job_id}").status_code == 200, BACK_WITHIN_S)
    job = finished_job(gateway, job_id)
    assert job["status"] == "completed"
    assert gateway.get(job["result"]["pictures"][0]["url"]).status_code == 200


def test_a_cancelled_image_job_stops(gateway: httpx.Client) -> None:
    body = {"prompt": "a green ring on a black background", "size": "256x256", "steps": 100}
    accepted = gateway.post("/v1/images/generations", json=body, headers={"Prefer": "respond-async"})
    job_id = accepted.json()["id"]
    gateway.delete(f"/v1/jobs/{job_id}")
    assert finished_job(gateway, job_id)["status"] == "cancelled"


def test_a_killed_ingestion_indexes_every_document_once(stack: Stack, gateway: httpx.Client) -> None:
    jobs = []
    for number in range(6):
        text = f"Ledger {number} holds the code quartz{number}quartz.\n" * 40
        files = {"file": (f"ledger-{number}.txt", text.encode(), "text/plain")}
        jobs.append(gateway.post("/v1/documents", files=files).json())
    kill(stack, "svc-rag")
    until(lambda: status_of(gateway, "svc-rag") == "ready", BACK_WITHIN_S)
    for job in jobs:
        assert finished_job(gateway, job["id"])["status"] == "completed"
    listed = [d["title"] for d in gateway.get("/v1/documents").json()["data"]]
    for number in range(6):
        assert sum(f"ledger-{number}" in title for title in listed) == 1
        query = {"query": f"quartz{number}quartz", "top_k": 50, "mode": "text"}
        hits = gateway.post("/v1/search", json=query).json()["hits"]
        found = [hit["chunk_id"] for hit in hits if f"quartz{number}quartz" in hit["text"]]
        assert found
        assert len(found) == len(set(found))


def test_without_redis_everything_still_answers(stack: Stack, gateway: httpx.Client) -> None:
    kill(stack, "redis", signal.SIGSTOP)
    try:
        slowest = 0.0
        for number in range(20):
            started = time.monotonic()
            body = {"text": f"star number {number}", "target": "pt", "source": "en"}
            assert gateway.post("/v1/translations", json=body).status_code == 200
            slowest = max(slowest, time.monotonic() - started)
        assert gateway.post("/chat", json={"msg": "Olá!"}).status_code == 200
    finally:
        kill(stack, "redis", signal.SIGCONT)
    kill(stack, "redis")
    assert gateway.post("/v1/translations", json={"text": "a moon", "target": "pt"}).status_code == 200
    assert slowest < 30
