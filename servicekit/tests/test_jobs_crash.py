"""A process killed in the middle of a job goes on with it after the restart, each step once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

PROGRAM = """
import asyncio, os, sys
from pathlib import Path
from servicekit.jobs import JobQueue

folder = Path(sys.argv[1])

def handler(ctx, payload):
    def note(n):
        with (folder / "steps").open("a") as out:
            out.write(f"{n}\\n")
        return n * n
    squares = []
    for n in range(6):
        squares.append(ctx.step(f"step-{n}", note, n))
        ctx.progress(n + 1, 6, "counting")
        if n == 2 and not (folder / "second").exists():
            (folder / "reached").touch()
            import threading
            threading.Event().wait(300)
    return {"squares": squares}

queue = JobQueue("svc-crash", f"sqlite:///{folder}/jobs.db", {"count": handler})
queue.start()
waiting = queue.submit("count", {"n": 1}, "ana", "key")
other = queue.submit("count", {"n": 2}, "ana", "other")
print(asyncio.run(queue.wait(waiting.id)).result, asyncio.run(queue.wait(other.id)).status, flush=True)
queue.stop()
"""


def start(folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PROGRAM, str(folder)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_killed_job_is_finished_after_the_restart_with_each_step_once(tmp_path: Path) -> None:
    process = start(tmp_path)
    deadline = time.monotonic() + 60
    while not (tmp_path / "reached").exists() and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.02)
    assert (tmp_path / "reached").exists(), process.communicate()[1]
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    (tmp_path / "second").touch()
    out, err = start(tmp_path).communicate(timeout=300)
    assert "{'squares': [0, 1, 4, 9, 16, 25]} completed" in out, err
    steps = (tmp_path / "steps").read_text().split()
    assert sorted(steps) == sorted("012345" * 2)
    assert err == "", "DBOS writes nothing past the process's own log"
