"""Long work of one kind keeps no other kind waiting, and rests without spoiling the time that is left."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

from servicekit.jobs import JobContext, JobQueue


def test_a_kind_with_a_lane_of_its_own_keeps_the_others_from_nothing(tmp_path: Path) -> None:
    let_go, rested, seen = threading.Event(), threading.Event(), []

    def long(context: JobContext, payload: dict[str, Any]) -> dict[str, Any]:
        context.progress(1, 10, "working")
        context.rest("paused")
        rested.set()
        seen.append(let_go.wait(60))
        return {}

    queue = JobQueue(
        "svc-lanes",
        f"sqlite:///{tmp_path}/jobs.db",
        {"long": long, "short": lambda *_: {}},
        lanes={"long": "hours"},
    )
    queue.start()
    try:
        first, second = queue.submit("long", {"n": 1}, "ana"), queue.submit("long", {"n": 2}, "ana")
        assert rested.wait(60)
        resting = queue.get(first.id, "ana")
        assert (resting.message, resting.step, resting.eta_s()) == ("paused", 1, None)
        short = queue.submit("short", {}, "ana")
        assert asyncio.run(queue.wait(short.id)).status == "completed"
        assert queue.get(second.id, "ana").status == "queued", "its lane is taken"
        let_go.set()
        assert asyncio.run(queue.wait(second.id)).status == "completed" and seen == [True, True]
    finally:
        let_go.set()
        queue.stop()
