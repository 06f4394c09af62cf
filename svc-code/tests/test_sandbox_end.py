"""However a sandbox comes to its end, nothing of it is left."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from svc_code.engine.base import Limits
from svc_code.engine.host import BubblewrapHost
from svc_code.engine.pipe import Pipe
from svc_code.engine.run import Run
from svc_code.engine.sandbox import PipedSandbox
from svc_code.engine.usage import Used
from svc_code.errors import SandboxLost, SandboxOff
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


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 (polled with a deadline)
            await asyncio.sleep(0.001)


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


async def test_a_place_is_given_back_once_where_a_sandbox_does_not_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    began, told = asyncio.Event(), asyncio.Event()

    async def spawned(host: BubblewrapHost, slot: int, channel: socket.socket, info: int) -> Any:
        process = await asyncio.create_subprocess_exec("sleep", "600")
        began.set()
        os.write(info, b'{"child-pid": %d}' % process.pid)
        return process

    async def last_words(process: asyncio.subprocess.Process) -> str:
        await told.wait()
        return ""

    monkeypatch.setattr(BubblewrapHost, "_spawned", spawned)
    monkeypatch.setattr("svc_code.engine.host._last_words", last_words)
    monkeypatch.setattr("svc_code.engine.host.SLOTS", 1)
    host = BubblewrapHost("sleep", Limits(60.0, 60.0, 512, 64, 100, 32, 10_000))
    host._prepared = True
    starting = asyncio.create_task(host.start())  # its pipe has no other end
    await began.wait()
    await until(lambda: bool(host._free_slots))
    host._free_slots.pop()  # another sandbox starts
    told.set()
    with pytest.raises(SandboxOff):
        await starting
    assert host._free_slots == set()


class Waiting:
    """A pipe whose questions are answered when somebody says so."""

    def __init__(self) -> None:
        self.asked: dict[str, asyncio.Future[Any]] = {}

    def ask(self, op: str, payload: bytes = b"", on_event: Any = None, **fields: Any) -> asyncio.Future[Any]:
        self.asked[op] = asyncio.get_running_loop().create_future()
        return self.asked[op]


async def test_code_that_is_being_stopped_is_stopped_however_often_its_caller_gives_up() -> None:
    pipe: Any = Waiting()
    run = Run(pipe, Limits(60.0, 60.0, 512, 64, 100, 32, 10_000), None, Used())
    running = asyncio.create_task(run.finish("while True: pass", 600.0))
    await until(lambda: "execute" in pipe.asked)
    running.cancel()  # the caller leaves
    await until(lambda: "interrupt" in pipe.asked)
    running.cancel()  # and the time of its call is over
    for _ in range(20):
        await asyncio.sleep(0)
    assert not running.done(), "the code runs"
    pipe.asked["execute"].set_result(({}, b""))
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_a_sandbox_whose_code_does_not_stop_is_lost_however_often_its_caller_gives_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for grace in ("INTERRUPT_GRACE_S", "RESTART_GRACE_S"):
        monkeypatch.setattr(f"svc_code.engine.run.{grace}", 0.05)
    pipe: Any = Waiting()
    run = Run(pipe, Limits(60.0, 60.0, 512, 64, 100, 32, 10_000), None, Used())
    running = asyncio.create_task(run.finish("while True: pass", 600.0))
    await until(lambda: "execute" in pipe.asked)
    running.cancel()
    await until(lambda: "interrupt" in pipe.asked)
    for _ in range(3):
        running.cancel()
        await asyncio.sleep(0)
    with pytest.raises(SandboxLost):
        await running
