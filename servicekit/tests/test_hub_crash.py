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


def wait_until_stored(folder: Path, process: subprocess.Popen[str], count: int) -> None:
    """Wait until so much lies on the disk: what was sent may still be on its way when a process is killed."""
    deadline = time.monotonic() + 120
    while (stored := _stored(folder)) < count and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.01)
    if stored < count:
        process.kill()
    assert stored >= count, process.communicate()[1]


def _stored(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def test_an_install_killed_twice_ends_verified_and_fetches_nothing_twice(tmp_path: Path) -> None:
    with FakeHub({"me/mini": {"config.json": b"{}", "model.safetensors": WEIGHTS}}) as hub:
        hub.faults.bytes_per_s = 3_000_000
        for seen in (2_000_000, 4_000_000):
            hub.faults.waits_at = seen  # so that the process is killed in the middle, however long that takes
            process = start(tmp_path, hub)
            wait_until_stored(tmp_path / "models", process, seen - 1_000_000)
            os.kill(process.pid, signal.SIGKILL)
            process.communicate()
            assert Shelf(tmp_path / "models").models() == []
        hub.faults.waits_at = 0
        out, err = start(tmp_path, hub).communicate(timeout=300)
        assert "arrived me/mini\ncompleted" in out, err
        (model,) = Shelf(tmp_path / "models").models()
        assert model.weights.read_bytes() == WEIGHTS
        # what was on the way at each kill, a stretch and the sockets' buffers, is all that may come twice
        assert hub.sent_bytes < len(WEIGHTS) + 2 * 3_000_000
        resumed = [a.first for a in hub.asked if a.first]
        assert len(resumed) == 2 and resumed[0] >= 512 * 1024 and resumed[1] > resumed[0]
