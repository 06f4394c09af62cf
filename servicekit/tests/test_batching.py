"""Requests that come together go through a model together, and only those that fit."""

from __future__ import annotations

import asyncio
import threading

import pytest

from servicekit.batching import Batcher
from servicekit.errors import TooBusy


async def test_concurrent_items_are_gathered_and_each_gets_its_own_result() -> None:
    sizes: list[int] = []

    def double(items: list[int]) -> list[int]:
        sizes.append(len(items))
        return [2 * item for item in items]

    batcher: Batcher[int, int] = Batcher(double, window_s=60, max_batch=5)
    futures = [future for i in range(5) for future in batcher.submit([i])]
    done = await asyncio.gather(*(asyncio.wrap_future(future) for future in futures))
    batcher.close()
    assert [item.value for item in done] == [0, 2, 4, 6, 8]
    assert sizes == [5]


def test_a_full_queue_refuses_and_a_client_that_left_frees_its_place() -> None:
    seen: list[int] = []
    began, go = threading.Event(), threading.Event()

    def note(items: list[int]) -> list[int]:
        seen.extend(items)
        began.set()
        assert go.wait(60)
        return items

    batcher: Batcher[int, int] = Batcher(note, window_s=0.0, queue_limit=2)
    batcher.submit([0])
    assert began.wait(60), "the others wait until this one is done"
    (left,), (stayed,) = batcher.submit([1]), batcher.submit([2])
    with pytest.raises(TooBusy):
        batcher.submit([3])
    left.cancel()
    assert batcher.counts() == {"running": 1, "waiting": 1}
    (came,) = batcher.submit([3])  # while the long one still runs
    go.set()
    assert (stayed.result(timeout=60).value, came.result(timeout=60).value) == (2, 3)
    batcher.close()
    assert seen == [0, 2, 3]


def test_a_batch_that_fails_fails_for_all_its_items_and_the_next_one_runs() -> None:
    def fail(items: list[int]) -> list[int]:
        if 0 in items:
            raise RuntimeError("broken")
        return items

    batcher: Batcher[int, int] = Batcher(fail, window_s=0.0)
    (bad,) = batcher.submit([0])
    with pytest.raises(RuntimeError, match="broken"):
        bad.result(timeout=60)
    (good,) = batcher.submit([1])
    assert good.result(timeout=60).value == 1
    batcher.close()


def test_what_is_not_of_one_kind_neither_waits_for_the_other_nor_fails_with_it() -> None:
    batches: list[list[str]] = []
    began, begin, go = threading.Event(), threading.Event(), threading.Event()

    def run(items: list[str]) -> list[str]:
        if items == ["first 0"]:
            began.set()
            assert begin.wait(60)
            return items
        batches.append(items)
        if items[0].startswith("broken"):
            assert go.wait(60)
            raise RuntimeError("no memory for this model")
        return items

    batcher: Batcher[str, str] = Batcher(run, kind=lambda item: item.split()[0], window_s=0.0)
    batcher.submit(["first 0"])
    assert began.wait(60), "the others gather while this one runs"
    futures = [future for item in ("well 1", "broken 2", "well 3") for future in batcher.submit([item])]
    begin.set()
    assert [futures[0].result(timeout=60).value, futures[2].result(timeout=60).value] == ["well 1", "well 3"]
    go.set()
    with pytest.raises(RuntimeError, match="no memory"):
        futures[1].result(timeout=60)
    batcher.close()
    assert batches == [["well 1", "well 3"], ["broken 2"]]
