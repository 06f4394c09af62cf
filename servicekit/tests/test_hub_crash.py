"""A service killed while it installs goes on where it was, and ends with a verified model."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from servicekit.hub import Shelf
from servicekit.hub.fake_hub import FakeHub

PROGRAM = """
import asyncio, sys
from pathlib import Path
from servicekit.hub import *
from servicekit.jobs import JobQueue
from servicekit.models import Catalogue, Machine

folder, url = Path(sys.argv[1]), sys.argv[2]
hub = HubRepository(url)
planner = Planner(hub, Catalogue(), Format.TRANSFORMERS, lambda needs: None, lambda: Machine(2**40, 2**40), "caption")
installs = Installs(planner, hub, Shelf(folder / "models"), lambda model: print("arrived", model.id), lambda name: None)
queue = JobQueue("svc-crash", f"sqlite:///{folder}/jobs.db", {"model.install": installs.run})
queue.start()
jobs = queue.list("ana") or [installs.begin("me/mini", None, "ana", "owner", queue)]
print(asyncio.run(queue.wait(jobs[0].id)).status, flush=True)
queue.stop()
"""
WEIGHTS = os.urandom(6_000_000)


def start(folder: Path, hub: FakeHub) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PROGRAM, str(folder), hub.url]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_until_sent(hub: FakeHub, process: subprocess.Popen[str], count: int) -> None:
    deadline = time.monotonic() + 60
    while hub.sent_bytes < count and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.01)
    assert hub.sent_bytes >= count, process.communicate()[1]


def test_an_install_killed_twice_ends_verified_and_fetches_nothing_twice(tmp_path: Path) -> None:
    with FakeHub({"me/mini": {"config.json": b"{}", "model.safetensors": WEIGHTS}}) as hub:
        hub.faults.bytes_per_s = 3_000_000
        for seen in (2_000_000, 4_000_000):
            process = start(tmp_path, hub)
            wait_until_sent(hub, process, seen)
            os.kill(process.pid, signal.SIGKILL)
            process.communicate()
            assert Shelf(tmp_path / "models").models() == []
        out, err = start(tmp_path, hub).communicate(timeout=60)
        assert "arrived me/mini\ncompleted" in out, err
        (model,) = Shelf(tmp_path / "models").models()
        assert model.weights.read_bytes() == WEIGHTS
        # what was on the way at each kill, a stretch and the sockets' buffers, is all that may come twice
        assert hub.sent_bytes < len(WEIGHTS) + 2 * 3_000_000
        resumed = [a.first for a in hub.asked if a.first]
        assert len(resumed) == 2 and resumed[0] >= 512 * 1024 and resumed[1] > resumed[0]
