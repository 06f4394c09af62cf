"""Trainings outlive what does them: the child and the service are killed at random moments, nothing is lost or doubled."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.ports import free_port

pytestmark = [pytest.mark.model, pytest.mark.timeout(900)]
STEPS = 60
LINES = "".join(
    f'{{"prompt": "Quem cuida da sala {n}?", "completion": "Da sala {n} cuida a pessoa {n}."}}\n'
    for n in range(4)
)


class Service:
    """svc-chat with the built-in model in a process of its own."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.port = free_port()
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=120)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        environment = {
            **os.environ,
            "DATA_DIR": str(self.folder),
            "PORT": str(self.port),
            "AUTH": "off",
            "VISION_URL": "",
        }
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "svc_chat"], env=environment, stdout=log, stderr=log
            )
        until(lambda: self.get("/healthz") is not None)

    def get(self, path: str) -> Any:
        with contextlib.suppress(httpx.TransportError):
            answer = self.http.get(path)
            return answer.json() if answer.status_code == 200 else None
        return None

    def child(self) -> psutil.Process | None:
        """Return the process that trains, if there is one."""
        assert self.process is not None
        with contextlib.suppress(psutil.Error):
            for child in psutil.Process(self.process.pid).children():
                if "svc_chat.engine.tuning" in child.cmdline():
                    return child
        return None

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def until(what: Callable[[], object], within_s: float = 240.0) -> None:
    deadline = time.monotonic() + within_s
    while not what():
        assert time.monotonic() < deadline, "not so in time"
        time.sleep(0.05)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    made = Service(tmp_path)
    made.start()
    yield made
    if made.process is not None and made.process.poll() is None:
        made.kill()


def test_killed_again_and_again_a_training_ends_with_one_model(service: Service) -> None:
    rng = random.Random(20261127)
    kept = service.http.post(
        "/v1/files", files={"file": ("x.jsonl", LINES)}, data={"purpose": "fine-tune"}
    ).json()
    epochs = STEPS * 4 // 4
    made = service.http.post(
        "/v1/fine_tuning/jobs",
        json={
            "model": "oficina-chat",
            "training_file": kept["id"],
            "hyperparameters": {"n_epochs": epochs, "batch_size": 4},
        },
    ).json()
    job = f"/v1/fine_tuning/jobs/{made['id']}"
    assert made["progress"]["total_steps"] == STEPS
    for victim in ("child", "service", "child", "service"):
        # when it has ended already there is no child any more
        until(lambda: service.child() or (service.get(job) or {}).get("status") == "succeeded")
        begun = service.child()
        wait_s = rng.uniform(0.0, 9.0)
        deadline = time.monotonic() + wait_s
        while time.monotonic() < deadline and (service.get(job) or {}).get("status") == "running":
            time.sleep(0.1)
        if victim == "child":
            with contextlib.suppress(psutil.Error):
                if begun is not None:
                    begun.kill()
        else:
            service.kill()
            # the child ends with the service, whoever killed it
            until(lambda child=begun: child is None or not child.is_running(), 120)
            service.start()
        if (service.get(job) or {}).get("status") == "succeeded":
            break
    until(lambda: (service.get(job) or {}).get("status") not in ("queued", "running"))
    done = service.get(job)
    assert done["status"] == "succeeded", done
    events: list[Any] = service.get(f"{job}/events?limit=100")["data"]
    steps = [e["data"]["step"] for e in reversed(events) if e["data"] and "train_loss" in e["data"]]
    assert steps == sorted(set(steps)), "a step is told once"
    assert steps[-1] <= STEPS
    assert sum(e["message"].startswith("New fine-tuned model") for e in events) == 1
    models = [m["id"] for m in service.get("/v1/models")["data"] if m["id"].startswith("ft:")]
    assert models.count(done["fine_tuned_model"]) == 1
    asked = {
        "model": done["fine_tuned_model"],
        "messages": [{"role": "user", "content": "Quem cuida da sala 2?"}],
    }
    answer = service.http.post("/v1/chat/completions", json={**asked, "temperature": 0}).json()
    assert "pessoa 2" in answer["choices"][0]["message"]["content"]
    left = {path.suffix for path in (service.folder / "training" / made["id"]).iterdir()}
    assert left == {".gguf"}
