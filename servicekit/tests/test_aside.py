"""Work that nobody waits for when the service stops."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import threading

import pytest

from servicekit.aside import aside
from servicekit.errors import NotReady

LEAVES = """
import asyncio, threading
from servicekit.aside import aside

async def main():
    started = threading.Event()
    task = asyncio.create_task(aside(lambda: (started.set(), threading.Event().wait())))
    while not started.is_set():
        await asyncio.sleep(0.01)
    task.cancel()

asyncio.run(main())
"""


async def test_what_the_work_gives_or_raises_is_given_and_raised() -> None:
    assert await aside(lambda: 3) == 3

    def refuse() -> None:
        raise NotReady("not now")

    with pytest.raises(NotReady, match="not now"):
        await aside(refuse)


async def test_who_is_cancelled_leaves_the_work_to_itself() -> None:
    begun, go, ended = threading.Event(), threading.Event(), threading.Event()
    task = asyncio.create_task(aside(lambda: (begun.set(), go.wait(60), ended.set())))
    assert await asyncio.to_thread(begun.wait, 60)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert not ended.is_set()
    go.set()
    assert await asyncio.to_thread(ended.wait, 60)


def test_a_process_ends_while_work_that_it_left_goes_on() -> None:
    assert subprocess.run([sys.executable, "-c", LEAVES], timeout=120, check=False).returncode == 0
