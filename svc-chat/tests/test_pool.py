"""The pool keeps to its budget, never frees a model in use, and wakes everybody who waits."""

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from servicekit.errors import Conflict, ModelNotFound, NotReady, ServiceError
from svc_chat.engine.fake_loader import SIZES, FakeLoader, Loaded, file_of, pool_of
from svc_chat.engine.pool import ModelPool
from svc_chat.engine.pool_entry import ModelFile
from svc_chat.errors import ModelBroken, ModelTooLarge, NoRoom


async def until(holds: Callable[[], bool], within_s: float = 60.0) -> None:
    async with asyncio.timeout(within_s):
        while not holds():  # noqa: ASYNC110 (polled with a deadline)
            await asyncio.sleep(0.002)


@contextlib.asynccontextmanager
async def lent(pool: ModelPool[Loaded], name: str) -> AsyncIterator[Loaded]:
    async with pool.lend(name) as model:
        assert not model.closed
        model.lent += 1
        try:
            yield model
        finally:
            model.lent -= 1


async def test_many_callers_share_one_load() -> None:
    loader = FakeLoader(held=True)
    pool = pool_of(loader)

    async def use() -> str:
        async with lent(pool, "a") as model:
            return model.name

    users = [asyncio.create_task(use()) for _ in range(20)]
    await until(lambda: "a" in loader.gates)
    assert pool.handle("a").state == "loading" and pool.handle("a").progress == 0.5
    loader.open_all()
    assert await asyncio.gather(*users) == ["a"] * 20
    assert loader.loads == ["a"] and pool.handle("a").state == "ready"


async def test_the_longest_unused_model_leaves_first() -> None:
    loader = FakeLoader()
    pool = pool_of(loader)
    for name in ("a", "b", "a", "d"):
        async with lent(pool, name):
            pass
    assert [n for n in "abcd" if pool.handle(n).state == "ready"] == ["a", "d"]


async def test_a_model_stays_when_another_that_must_leave_makes_room_enough() -> None:
    pool = pool_of(FakeLoader())
    for name in ("d", "c", "b"):
        async with lent(pool, name):
            pass
    assert [n for n in "abcd" if pool.handle(n).state == "ready"] == ["b", "d"]


async def test_a_busy_model_is_not_freed_and_the_refusal_names_it() -> None:
    pool = pool_of(FakeLoader(), budget=90)
    async with lent(pool, "a"):
        with pytest.raises(NoRoom, match=r"In use now: a\.") as caught:
            async with lent(pool, "c"):
                pass
        assert caught.value.headers()["Retry-After"] == "5"
        with pytest.raises(Conflict):
            await asyncio.to_thread(pool.unload, "a")


async def test_a_load_waits_until_an_unload_has_really_freed_its_memory() -> None:
    loader = FakeLoader()
    leaving = threading.Event()

    def close_slowly(model: Loaded) -> None:
        leaving.wait(60)
        loader.close(model)

    pool = ModelPool(loader.load, close_slowly, budget_bytes=70, idle_unload_s=0.02)
    pool.offer([file_of("a"), file_of("b")])
    async with lent(pool, "a"):
        pass
    await until(lambda: pool.handle("a").state == "unloading")
    job = asyncio.wrap_future(pool.load("b"))
    done, _ = await asyncio.wait([job], timeout=0.2)
    assert not done and pool.handle("b").state == "loading" and loader.loads == ["a"]
    leaving.set()
    await asyncio.wait_for(job, 60)
    assert loader.loads == ["a", "b"] and loader.peak <= 70


async def test_a_model_that_somebody_waits_for_is_not_freed_before_their_turn() -> None:
    loader = FakeLoader(held=True)
    pool = pool_of(loader, budget=90)

    async def use() -> None:
        async with lent(pool, "a"):
            pass

    waiting = asyncio.create_task(use())
    await until(lambda: "a" in loader.gates)
    loader.open_all()
    deadline = time.monotonic() + 60
    while pool.handle("a").state != "ready" and time.monotonic() < deadline:
        pass  # the event loop stands still: the one who waits cannot have its turn yet
    with pytest.raises(NoRoom):
        pool.load("c")
    await asyncio.wait_for(waiting, 60)
    assert loader.loads == ["a"]


async def test_a_refused_load_frees_nothing() -> None:
    pool = pool_of(FakeLoader())
    async with lent(pool, "a"):
        async with lent(pool, "d"):
            pass
        pool.budget_bytes = 80
        with pytest.raises(NoRoom):
            async with lent(pool, "c"):
                pass
        assert pool.handle("d").state == "ready"


async def test_a_model_over_the_whole_budget_is_refused_with_the_remedy() -> None:
    with pytest.raises(ModelTooLarge, match="CHAT_CONTEXT_TOKENS"):
        async with lent(pool_of(FakeLoader(), budget=20), "a"):
            pass


async def test_who_leaves_does_not_keep_the_others_waiting() -> None:
    loader = FakeLoader(held=True)
    pool = pool_of(loader)

    async def use() -> None:
        async with lent(pool, "a"):
            pass

    leaving, staying = asyncio.create_task(use()), asyncio.create_task(use())
    await until(lambda: "a" in loader.gates)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(leaving, 60)
    loader.open_all()
    await asyncio.wait_for(staying, 60)


async def test_a_failed_load_is_told_to_all_and_not_repeated_until_the_file_changes() -> None:
    loader = FakeLoader()
    loader.broken.add("a")
    pool = pool_of(loader, retry_s=60)
    for _ in range(3):
        with pytest.raises(ModelBroken) as caught:
            async with lent(pool, "a"):
                pass
    assert loader.loads == ["a"] and caught.value.retry_after_s
    assert pool.handle("a").state == "failed" and pool.handle("a").error == "a is broken"
    loader.broken.clear()
    pool.offer([file_of("a", version=1)])
    async with lent(pool, "a"):
        pass
    assert loader.loads == ["a", "a"] and pool.handle("a").error is None


async def test_a_failed_load_is_repeated_after_a_while() -> None:
    loader = FakeLoader()
    loader.broken.add("a")
    pool = pool_of(loader, retry_s=0.01)
    with pytest.raises(ModelBroken):
        async with lent(pool, "a"):
            pass
    loader.broken.clear()

    def loads() -> bool:
        with contextlib.suppress(ServiceError):
            pool.load("a").result(60)
        return pool.handle("a").state == "ready"

    await until(loads)


async def test_a_changed_file_is_loaded_again_once_nobody_uses_the_old_one() -> None:
    loader = FakeLoader()
    pool = pool_of(loader)
    async with lent(pool, "a") as old:
        pool.offer([file_of("a", version=1)])
        async with lent(pool, "a") as shared:
            assert shared is old
    async with lent(pool, "a") as new:
        assert new is not old
    await until(lambda: old.closed)


async def test_a_file_that_is_gone_leaves_memory_after_its_last_answer() -> None:
    loader = FakeLoader()
    pool = pool_of(loader)
    async with lent(pool, "a") as model:
        pool.offer([file_of("b")])
        with pytest.raises(ModelNotFound):
            pool.describe("a")
        assert not model.closed
    await until(lambda: model.closed and pool.memory_bytes() == 0)


async def test_an_idle_model_leaves_memory_and_makes_room() -> None:
    loader = FakeLoader()
    pool = pool_of(loader, idle_unload_s=0.02)
    async with lent(pool, "a"):
        pass
    await until(lambda: pool.handle("a").state == "unloaded" and loader.memory == 0)
    async with lent(pool, "a"):
        pass


async def test_names_of_one_file_share_one_model() -> None:
    loader = FakeLoader()
    pool = pool_of(loader)
    adapted = ModelFile("a+poems", file_of("a").path, Path("/models/poems.gguf"), SIZES["a"], 0)
    pool.offer([file_of("a"), adapted])
    async with lent(pool, "a") as plain, lent(pool, "a+poems") as same:
        assert plain is same
    assert pool.describe("a+poems").adapter_path == Path("/models/poems.gguf")
    assert pool.describe("a").adapter_path is None


async def test_closing_ends_a_load_that_is_under_way() -> None:
    loader = FakeLoader()
    begun = threading.Event()

    def load(path: Path, progress: Callable[[float], bool]) -> Loaded:
        begun.set()
        while progress(0.3):
            time.sleep(0.001)
        raise ModelBroken("ended")

    pool = ModelPool(load, loader.close, budget_bytes=100)
    pool.offer([file_of("a")])
    job = pool.load("a")
    await until(begun.is_set)
    await asyncio.wait_for(asyncio.to_thread(pool.close), 60)
    assert isinstance(job.exception(60), ModelBroken)


async def test_a_closed_pool_frees_what_is_lent_when_it_comes_back() -> None:
    loader = FakeLoader()
    pool = pool_of(loader)
    async with lent(pool, "a") as model:
        await asyncio.to_thread(pool.close)
        assert not model.closed
        with pytest.raises(NotReady):
            async with lent(pool, "b"):
                pass
    await until(lambda: loader.memory == 0)
