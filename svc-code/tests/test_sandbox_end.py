"""However a sandbox comes to its end, nothing of it is left."""

from __future__ import annotations

import asyncio
import socket
import sys

import pytest

from svc_code.engine.base import Limits
from svc_code.engine.pipe import Pipe
from svc_code.engine.sandbox import PipedSandbox
from svc_code.inside import frames

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="sandboxes are Linux's")


async def test_one_that_does_not_restart_when_it_should_is_ended_whole() -> None:
    ended = asyncio.Event()
    process = await asyncio.create_subprocess_exec("sleep", "600")
    ours, theirs = socket.socketpair()
    pipe = Pipe(*await asyncio.open_connection(sock=ours))
    # whatever it does while nothing runs is too much: it is told to restart, and says nothing any more
    limits = Limits(60.0, -1.0, 512, 64, 100, 32, 10_000)
    sandbox = PipedSandbox(process, process.pid, pipe, limits, ended.set)
    try:
        theirs.sendall(frames.encode({"event": "ready"}, b""))
        await sandbox.ready()
        theirs.shutdown(socket.SHUT_WR)
        async with asyncio.timeout(60):
            await ended.wait()
        assert process.returncode is not None and not sandbox.alive
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        theirs.close()
