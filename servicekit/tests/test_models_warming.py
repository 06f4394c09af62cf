"""A service whose model could not be loaded at the start becomes ready as soon as it can."""

from __future__ import annotations

import asyncio

import pytest

from servicekit.errors import NotReady, ServiceError
from servicekit.health import Readiness
from servicekit.models import ModelSlot, NoMemory, warm, warming


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warming, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(warming, "LONGEST_PAUSE_S", 0.02)


class Model:
    """Fails `fails` times, as on a full disk."""

    def __init__(self, fails: int, error: ServiceError | None = None):
        self.tried, self._fails = 0, fails
        self._error = error or NotReady("The disk is full. Free some.")

    def load(self) -> str:
        self.tried += 1
        if self.tried <= self._fails:
            raise self._error
        return "model"


async def test_what_failed_is_tried_again_until_it_is_there() -> None:
    readiness, well, late = Readiness("svc-test"), Model(0), Model(3)
    heard = []
    told = readiness.set
    readiness.set = lambda **more: (heard.append(more), told(**more))  # type: ignore[assignment,func-returns-value,method-assign]
    async with asyncio.timeout(60):
        await warm([ModelSlot(well.load).load, ModelSlot(late.load).load], readiness)
    assert readiness.ready and (well.tried, late.tried) == (1, 4)
    assert heard == [{"status": "not_ready", "reason": "The disk is full. Free some."}] * 3 + [
        {"status": "ready"}
    ]


async def test_a_model_without_room_keeps_no_service_from_being_ready() -> None:
    readiness, full = Readiness("svc-test"), Model(99, NoMemory("It needs 9 GiB."))
    async with asyncio.timeout(60):
        await warm([full.load], readiness)
    assert readiness.ready and full.tried == 1


async def test_an_error_that_is_none_of_ours_is_told_by_its_kind_and_tried_again() -> None:
    readiness, tried = Readiness("svc-test"), []

    def load() -> None:
        tried.append(readiness.report()["reason"])
        if len(tried) == 1:
            raise OSError(28, "No space left on device", "/home/ana/model.bin")

    async with asyncio.timeout(60):
        await warm([load], readiness)
    assert readiness.ready and "OSError" in tried[1] and "/home" not in tried[1]


async def test_a_service_that_stops_tries_no_more() -> None:
    readiness, broken = Readiness("svc-test"), Model(10**9)
    task = asyncio.create_task(warm([broken.load], readiness))
    while broken.tried < 2:  # noqa: ASYNC110 - polls what a thread does
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not readiness.ready
