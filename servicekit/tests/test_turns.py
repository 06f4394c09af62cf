"""A bounded queue before a few places."""

from __future__ import annotations

import asyncio

import pytest

from servicekit.errors import TooBusy
from servicekit.turns import Turns


async def _holding(turns: Turns, go: asyncio.Event) -> None:
    async with turns.turn():
        await go.wait()


async def _until_counted(turns: Turns, running: int, waiting: int) -> None:
    async with asyncio.timeout(30):
        while (turns.running, turns.waiting) != (running, waiting):  # noqa: ASYNC110 - counters tell no event
            await asyncio.sleep(0)


async def test_so_many_run_so_many_wait_and_one_more_is_refused() -> None:
    turns, go = Turns(2, 3, "calls for embeddings"), asyncio.Event()
    held = [asyncio.create_task(_holding(turns, go)) for _ in range(5)]
    await _until_counted(turns, 2, 3)
    with pytest.raises(
        TooBusy, match="2 calls for embeddings are running, 3 wait and no more than 3 may"
    ) as caught:
        async with turns.turn():
            pytest.fail("a sixth call had a turn")
    assert caught.value.retry_after_s
    go.set()
    await asyncio.gather(*held)
    assert (turns.running, turns.waiting) == (0, 0)


async def test_who_leaves_while_waiting_or_running_frees_the_place() -> None:
    turns, go = Turns(1, 1), asyncio.Event()
    first, second = (asyncio.create_task(_holding(turns, go)) for _ in range(2))
    await _until_counted(turns, 1, 1)
    second.cancel()
    await _until_counted(turns, 1, 0)
    third = asyncio.create_task(_holding(turns, go))
    await _until_counted(turns, 1, 1)
    first.cancel()
    await asyncio.gather(first, second, return_exceptions=True)
    await _until_counted(turns, 1, 0)
    go.set()
    await third
    assert (turns.running, turns.waiting) == (0, 0)
