"""Work that is begun comes to its end, whoever leaves."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest

from servicekit.uninterrupted import uninterrupted


class Work:
    """Gives `outcome` once it is let go."""

    def __init__(self, outcome: Any):
        self.outcome, self.begun, self.go, self.ended = (
            outcome,
            asyncio.Event(),
            asyncio.Event(),
            asyncio.Event(),
        )

    async def __call__(self) -> Any:
        self.begun.set()
        await self.go.wait()
        self.ended.set()
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


async def begun(work: Work) -> asyncio.Task[Any]:
    waiting = asyncio.create_task(uninterrupted(work()))
    await work.begun.wait()
    return waiting


async def test_it_gives_what_the_work_gives() -> None:
    for outcome in ("done", ValueError("wrong")):
        work = Work(outcome)
        work.go.set()
        (found,) = await asyncio.gather(uninterrupted(work()), return_exceptions=True)
        assert found == outcome


@pytest.mark.parametrize("outcome", ["done", ValueError("wrong")])
async def test_who_is_cancelled_learns_of_it_after_the_end(outcome: Any) -> None:
    complaints: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    work = Work(outcome)
    waiting = await begun(work)
    waiting.cancel()
    await asyncio.sleep(0)
    assert not waiting.done()
    work.go.set()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    gc.collect()
    assert work.ended.is_set() and complaints == []


async def test_who_is_cancelled_again_and_again_still_learns_of_it_after_the_end() -> None:
    work = Work("done")
    waiting = await begun(work)
    for _ in range(5):
        waiting.cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert not waiting.done()
    work.go.set()
    async with asyncio.timeout(60):
        with pytest.raises(asyncio.CancelledError):
            await waiting
    assert work.ended.is_set()


async def test_work_that_is_itself_cancelled_is_told_so() -> None:
    async def cancelled() -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await uninterrupted(cancelled())
