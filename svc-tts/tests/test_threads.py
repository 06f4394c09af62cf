"""However many wait to be spoken for or follow a job, the service still says how it is and whom it refuses."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import httpx
import pytest
from flask import Flask

from servicekit.jobs import Job
from servicekit.jobs import blueprint as jobs_blueprint
from tests.ports import free_port

PROGRAM = """
import runpy, sys, time
from pathlib import Path
import svc_tts.app
from svc_tts.engine.fake import FakeEngine

class Held(FakeEngine):
    def speak(self, text, voice, speed):
        while not Path("go").exists():
            time.sleep(0.02)
        return super().speak(text, voice, speed)

make = svc_tts.app.create_app
svc_tts.app.create_app = lambda settings: make(settings, [Held()])
runpy.run_module("svc_tts", run_name="__main__")
"""
WAITING = 16


@pytest.fixture
def url(tmp_path: Path):
    port = free_port()
    env = {"AUTH": "off", "DATA_DIR": str(tmp_path / "data"), "HOST": "127.0.0.1", "PORT": str(port)}
    env |= {
        "TTS_MAX_WAITING": str(WAITING),
        "PYTHONPATH": ":".join(filter(None, sys.path)),
        "PATH": "/usr/bin:/bin",
    }
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        cwd=tmp_path,
        env=env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    base, deadline = f"http://127.0.0.1:{port}", time.monotonic() + 60
    try:
        while not answers(base):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.1)
        yield base
    finally:
        (tmp_path / "go").touch()
        process.terminate()
        process.wait(60)


def answers(base: str) -> bool:
    try:
        return httpx.get(f"{base}/readyz", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


def test_a_full_queue_refuses_at_once_and_the_service_says_that_it_is_well(url: str, tmp_path: Path) -> None:
    def ask() -> int:
        return httpx.post(f"{url}/v1/audio/speech", json={"input": "Hello there."}, timeout=120).status_code

    with ThreadPoolExecutor(WAITING + 3) as pool:
        calls = [pool.submit(ask) for _ in range(WAITING + 3)]
        try:
            done, _ = wait(calls, timeout=60, return_when="FIRST_COMPLETED")
            assert [call.result() for call in done][:1] == [429]
            report = httpx.get(f"{url}/readyz", timeout=30).json()
            assert report["status"] == "ready" and report["queue"]["waiting"] == WAITING
        finally:
            (tmp_path / "go").touch()
        assert Counter(call.result() for call in calls) == {200: WAITING + 1, 429: 2}


class Running:
    """A queue with one job that goes on."""

    job = Job("job_x", "model.install", "owner", "running", {}, 0.0, 0.0, seq=1)

    def get(self, job_id: str, owner: str) -> Job:
        return self.job

    def events_after(self, job_id: str, after: int) -> list[object]:
        return []


def test_followers_have_a_limit_and_give_their_places_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs_blueprint, "FOLLOWERS", 2)
    monkeypatch.setattr(jobs_blueprint, "_caller", lambda: "owner")
    app = Flask("test")
    app.register_blueprint(jobs_blueprint.blueprint(Running()))  # type: ignore[arg-type]
    app.register_error_handler(
        jobs_blueprint.TooBusy, lambda error: (error.body(), error.status, error.headers())
    )
    client, path = app.test_client(), "/v1/jobs/job_x/events"
    read, unread = client.get(path, buffered=False), client.get(path, buffered=False)
    assert next(iter(read.response)).startswith(b":")
    refused = client.get(path)
    assert refused.status_code == 429 and refused.headers["Retry-After"] == "2"
    assert "GET /v1/jobs/job_x" in refused.json["error"]["message"]
    read.close()
    unread.close()
    again = [client.get(path, buffered=False) for _ in range(2)]
    assert [answer.status_code for answer in again] == [200, 200]
    for answer in again:
        answer.close()
