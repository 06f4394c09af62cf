"""A service killed while it draws finishes the job after the restart."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

PROGRAM = """
import sys, time
from pathlib import Path
from fastapi.testclient import TestClient
from svc_image_gen.app import create_app
from svc_image_gen.engine.fake import FakeEngine
from svc_image_gen.settings import Settings

folder, step_s = Path(sys.argv[1]), float(sys.argv[2])

class Engine(FakeEngine):
    def draw(self, request, on_step, timing):
        def told(step, preview):
            on_step(step, preview)
            if step_s and len(self.requests) == 2 and step == 6:
                time.sleep(600)  # it is killed here, however long that takes
        return super().draw(request, told, timing)

engine = Engine(step_s=step_s)
settings = Settings(data_dir=folder, auth="off", allowed_hosts=("testserver",))
with TestClient(create_app(settings, engine)) as client:
    headers = {"Idempotency-Key": "key", "Prefer": "respond-async"}
    fields = {"prompt": "x", "seed": 1, "n": 2, "steps": 8}
    job = client.post("/v1/images/generations", json=fields, headers=headers).json()
    with client.stream("GET", f"/v1/jobs/{job['id']}/events") as events:
        for line in events.iter_lines():
            if line.startswith("data:"):
                print(line, flush=True)
    done = client.get(f"/v1/jobs/{job['id']}").json()
    sizes = [len(client.get(p["url"]).content) > 100 for p in done["result"]["pictures"]]
    print("RESULT", done["status"], sizes, len(list((folder / "media").glob("*.png"))), len(engine.requests))
"""


def start(folder: Path, step_s: float) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PROGRAM, str(folder), str(step_s)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def second_picture_begun(folder: Path) -> bool:
    """Whether the job has told a step of its second picture: the first is kept by then."""
    try:
        with sqlite3.connect(folder / "service.db", timeout=5) as db:
            return any(step > 8 for (step,) in db.execute("select step from jobs"))
    except sqlite3.Error:
        return False


def test_a_killed_service_finishes_its_job_after_the_restart(tmp_path: Path) -> None:
    process = start(tmp_path, 0.3)
    deadline = time.monotonic() + 90
    while not second_picture_begun(tmp_path) and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    out, err = process.communicate()
    assert "RESULT" not in out, "it was to be killed before the end"
    out, err = start(tmp_path, 0.0).communicate(timeout=300)
    # One picture was drawn anew, the kept one was not.
    assert "RESULT completed [True, True] 2 1" in out, out + err
