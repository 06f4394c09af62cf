"""However a sandbox comes to its end, nothing of it is left."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from svc_code.engine.base import Limits
from svc_code.engine.pipe import Pipe
from svc_code.engine.sandbox import PipedSandbox
from svc_code.inside import frames

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="sandboxes are Linux's")


@dataclass
class Started:
    """A sandbox whose process sleeps, the inner end of its pipe, and its place each time it is given back."""

    sandbox: PipedSandbox
    process: asyncio.subprocess.Process
    inside: socket.socket
    places: asyncio.Queue[None]


@asynccontextmanager
async def started(idle_cpu_s: float) -> AsyncIterator[Started]:
    process = await asyncio.create_subprocess_exec("sleep", "600")
    ours, theirs = socket.socketpair()
    pipe = Pipe(*await asyncio.open_connection(sock=ours))
    places: asyncio.Queue[None] = asyncio.Queue()
    limits = Limits(60.0, idle_cpu_s, 512, 64, 100, 32, 10_000)
    sandbox = PipedSandbox(process, process.pid, pipe, limits, lambda: places.put_nowait(None))
    try:
        theirs.sendall(frames.encode({"event": "ready"}, b""))
        await sandbox.ready()
        yield Started(sandbox, process, theirs, places)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        theirs.close()


async def test_one_that_does_not_restart_when_it_should_is_ended_whole() -> None:
    # whatever it does while nothing runs is too much: it is told to restart, and ends instead of answering
    async with started(idle_cpu_s=-1.0) as it:
        asked = await asyncio.to_thread(it.inside.recv, 65536)
        assert b"restart" in asked
        it.inside.shutdown(socket.SHUT_WR)
        await asyncio.wait_for(it.places.get(), 60)
        assert it.process.returncode is not None and not it.sandbox.alive


async def test_one_that_is_lost_while_nobody_asks_it_anything_is_ended_whole() -> None:
    async with started(idle_cpu_s=60.0) as it:
        it.inside.shutdown(socket.SHUT_WR)
        await asyncio.wait_for(it.places.get(), 60)
        assert it.process.returncode is not None and not it.sandbox.alive


async def test_who_closes_what_is_being_closed_waits_for_its_end() -> None:
    async with started(idle_cpu_s=60.0) as it:
        first = asyncio.create_task(it.sandbox.close())
        await asyncio.sleep(0)
        first.cancel()
        await it.sandbox.close()
        assert it.process.returncode is not None and it.places.qsize() == 1
