"""Sessions, spares and the queue before them, over fake sandboxes and a clock that is set by hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from servicekit.errors import TooBusy
from servicekit.turns import Turns
from svc_code.domain.sessions import Places, Sessions
from svc_code.domain.spares import RETRY_S, Spares
from svc_code.engine.base import Limits, Sandbox
from svc_code.engine.fake import FakeHost
from svc_code.errors import DiskFull, SandboxOff, SessionNotFound, TooManySessions

LIMITS = Limits(60, 5, 300, 1, 50, 40, 1000)


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class SlowHost(FakeHost):
    """Starts sandboxes only when it may."""

    def __init__(self) -> None:
        super().__init__(LIMITS)
        self.may = asyncio.Event()
        self.asked = 0

    async def start(self) -> Sandbox:
        self.asked += 1
        await self.may.wait()
        return await super().start()


class BrokenHost(FakeHost):
    """Starts none."""

    def __init__(self) -> None:
        super().__init__(LIMITS)
        self.asked = 0

    async def start(self) -> Sandbox:
        self.asked += 1
        raise SandboxOff("off")


def _sessions(host: FakeHost, clock: Clock, total: int = 3, per_owner: int = 2) -> Sessions:
    spares = Spares(host, 0, lambda _: None, clock)
    return Sessions(spares, Turns(2, 1, "executions"), Places(total, per_owner, 900, 60), clock)


async def _parts(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def test_a_session_that_rests_too_long_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, host = Clock(), FakeHost(LIMITS)
    sessions = _sessions(host, clock)
    await sessions.execute("ana", "t1", "a", 5)
    clock.now += 899
    await sessions.reap()
    assert sessions.find("ana", "t1")
    clock.now += 2
    await sessions.reap()
    with pytest.raises(SessionNotFound):
        sessions.find("ana", "t1")
    assert not host.started[0].alive


async def test_a_session_in_use_is_never_ended_for_another() -> None:
    clock, host = Clock(), FakeHost(LIMITS)
    sessions = _sessions(host, clock, total=1)
    began = asyncio.Event()
    work = sessions.execute("ana", "t1", "sleep", 60, lambda *_: began.set())
    running = asyncio.create_task(work)
    await began.wait()
    clock.now += 10_000
    await sessions.reap()
    with pytest.raises(TooManySessions):
        await sessions.execute("bia", "t1", "a", 5)
    assert await sessions.interrupt("ana", "t1")
    await running


async def test_the_session_that_rests_longest_makes_room() -> None:
    clock, host = Clock(), FakeHost(LIMITS)
    sessions = _sessions(host, clock, total=2)
    await sessions.execute("ana", "old", "a", 5)
    clock.now += 30
    await sessions.execute("bia", "new", "a", 5)
    with pytest.raises(TooManySessions):
        await sessions.execute("eva", "t1", "a", 5)
    clock.now += 40
    await sessions.execute("eva", "t1", "a", 5)
    assert [s.id for s in sessions.of("ana")] == []
    assert [s.id for s in sessions.of("bia")] == ["new"]


async def test_calls_at_the_same_time_make_one_session() -> None:
    host = SlowHost()
    sessions = _sessions(host, Clock())
    calls = [asyncio.create_task(sessions.upload("ana", "t1", f"{n}.txt", _parts(b"x"))) for n in range(5)]
    await asyncio.sleep(0.01)
    host.may.set()
    await asyncio.gather(*calls)
    assert len(host.started) == 1
    assert len(await sessions.files("ana", "t1")) == 5


async def test_more_executions_than_may_wait_are_refused() -> None:
    sessions = _sessions(FakeHost(LIMITS), Clock(), total=9, per_owner=9)
    tasks = [asyncio.create_task(sessions.execute("ana", f"t{n}", "sleep", 60)) for n in range(3)]
    await asyncio.sleep(0.01)
    with pytest.raises(TooBusy) as refused:
        await sessions.execute("ana", "t9", "a", 5)
    assert refused.value.retry_after_s
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await sessions.execute("ana", "t9", "a", 5)


async def test_an_upload_that_fails_leaves_no_file_and_no_part_of_one() -> None:
    host = FakeHost(LIMITS)
    sessions = _sessions(host, Clock())
    with pytest.raises(DiskFull):
        await sessions.upload("ana", "t1", "big.bin", _parts(b"x" * 600_000, b"y" * 600_000))
    assert await sessions.files("ana", "t1") == []
    assert host.started[0]._uploads == {}


async def test_a_spare_is_started_once_however_long_it_takes() -> None:
    host = SlowHost()
    spares = Spares(host, 1, lambda _: None)
    probing = asyncio.create_task(spares.probe())
    await asyncio.sleep(0)
    for _ in range(3):
        spares.fill()
        await asyncio.sleep(0)
    host.may.set()
    await probing
    assert host.asked == 1
    await spares.take()
    await asyncio.sleep(0.01)
    assert host.asked == 2
    await spares.close()
    assert not host.started[1].alive


async def test_a_spare_that_ended_while_it_waited_is_not_given_out() -> None:
    host = FakeHost(LIMITS)
    spares = Spares(host, 1, lambda _: None)
    await spares.probe()
    await host.started[0].close()
    assert (await spares.take()).alive
    await spares.close()


async def test_a_machine_that_starts_none_is_asked_again_only_after_a_while() -> None:
    clock, host, told = Clock(), BrokenHost(), []
    spares = Spares(host, 1, told.append, clock)
    await spares.probe()
    for _ in range(5):
        spares.fill()
        await asyncio.sleep(0)
    assert host.asked == 1
    clock.now += RETRY_S + 1
    spares.fill()
    await asyncio.sleep(0.01)
    assert host.asked == 2
    assert len(told) == 2
    await spares.close()
