"""What fails between two steps of the engine gives back what it had taken, and tells who waits for it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from servicekit.errors import NotReady
from svc_chat.engine.backend import Grammar
from svc_chat.engine.base import GenerationRequest
from svc_chat.engine.fake_backend import FakeBackend
from svc_chat.engine.fake_loader import FakeLoader, pool_of
from svc_chat.engine.llama_engine import LlamaEngine
from svc_chat.engine.loop import EngineLoop
from svc_chat.engine.pool_entry import ModelFile
from svc_chat.engine.prober import Outcome, Prober
from svc_chat.engine.scheduler import Limits
from svc_chat.engine.sequence import Sequence
from svc_chat.engine.slots import Slots
from svc_chat.engine.spill import Prefix, SpillStore
from svc_chat.errors import GenerationFailed, ModelBroken

from .test_engine_loop import ask, expected, quiet, settle, written

LIMITS = Limits(running=4, waiting=4, batch_tokens=64, prompt_tokens=16)


class SlowReader(FakeBackend):
    """Reads prompts when it is let go, and counts the grammars that are in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.reads, self.go, self.grammars = threading.Event(), threading.Event(), 0

    def prompt_tokens(self, request: GenerationRequest) -> list[int]:
        self.reads.set()
        assert self.go.wait(60) and not self.closed
        return super().prompt_tokens(request)

    def grammar(self, schema: Mapping[str, Any], repetition: Any) -> Grammar:
        self.grammars += 1
        return _Counted(self)


class _Counted:
    def __init__(self, backend: SlowReader):
        self._backend = backend

    def allowed(self, tokens: Any) -> Any:
        return np.ones(len(tokens), bool)

    def accept(self, token: int) -> None:
        return None

    def close(self) -> None:
        self._backend.grammars -= 1


async def test_who_leaves_while_a_prompt_is_read_leaves_when_nobody_reads_it_with_the_model() -> None:
    backend = SlowReader()
    loop = EngineLoop(backend, LIMITS)
    asking = asyncio.create_task(written(loop, ask("hello", json_schema={"bytes": [65]})))
    await asyncio.to_thread(backend.reads.wait, 60)
    for _ in range(3):
        asking.cancel()
        await asyncio.sleep(0.01)
    assert not asking.done(), "the model may be freed then, and it is read with"
    backend.go.set()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert loop.queue() == {"running": 0, "waiting": 0} and backend.grammars == 0
    await asyncio.to_thread(loop.close)


def together(loop: EngineLoop, count: int) -> Callable[[list[Sequence]], None]:
    """Return what lets the first `count` requests arrive in one turn of the loop, and later ones as they come."""
    take, arrived = loop._take, list[list[Sequence]]()

    def taken(sequences: list[Sequence]) -> None:
        arrived.append(sequences)
        if len(arrived) == count:
            with loop._wake:
                for some in arrived:
                    take(some)
        elif len(arrived) > count:
            take(sequences)

    return taken


async def failing_once(
    loop: EngineLoop, monkeypatch: pytest.MonkeyPatch, name: str, fail: Callable[..., None]
) -> list[str | BaseException]:
    """Ask three times at once while a call of the slots fails the first time; then check that all is whole."""
    call, failed = getattr(Slots, name), threading.Event()

    def once(slots: Slots, *asked: Any) -> Any:
        if not failed.is_set():
            failed.set()
            fail(slots, *asked)
            raise RuntimeError("between two steps")
        return call(slots, *asked)

    monkeypatch.setattr(Slots, name, once)
    monkeypatch.setattr(loop, "_take", together(loop, 3))
    prompts = [f"question {number} of" for number in range(3)]
    async with asyncio.timeout(60):
        found = await asyncio.gather(*(written(loop, ask(p)) for p in prompts), return_exceptions=True)
        assert failed.is_set()
        again = await asyncio.gather(*(written(loop, ask(p)) for p in prompts))
    assert again == [expected(prompt, 20) for prompt in prompts]
    await quiet(loop)
    settle(loop)
    assert len(loop.slots._free) == loop.backend.sequences
    return found


async def test_an_answer_whose_place_cannot_be_made_ends_and_the_slot_is_free_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loop = EngineLoop(FakeBackend(), LIMITS)
    found = await failing_once(loop, monkeypatch, "_take", lambda slots, donor, kept: slots._free.pop())
    assert sum(isinstance(answer, GenerationFailed) for answer in found) >= 1
    await asyncio.to_thread(loop.close)


async def test_an_answer_that_cannot_be_put_off_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = EngineLoop(FakeBackend(cells=48), LIMITS)

    def leave(slots: Slots, sequence: Sequence) -> None:
        slot = slots.leave(sequence)
        if slot is not None:
            del slots._idle[slot]

    found = await failing_once(loop, monkeypatch, "put_off", leave)
    assert sum(isinstance(answer, GenerationFailed) for answer in found) >= 1
    await asyncio.to_thread(loop.close)


class Lacking(FakeBackend):
    """Has no file of one adapter."""

    def use_adapter(self, adapter: str | None, in_use: Collection[str | None] = ()) -> None:
        assert adapter in in_use
        if adapter == "gone":
            raise ModelBroken("The adapter is gone.")
        super().use_adapter(adapter, in_use)


async def test_an_adapter_that_is_gone_ends_the_answers_that_need_it_alone() -> None:
    go = threading.Event()
    loop = EngineLoop(Lacking(before_decode=lambda: go.wait(60)), LIMITS)
    asked = [written(loop, ask("hello"), adapter) for adapter in (None, "gone", "gone", "there")]
    tasks = [asyncio.create_task(one) for one in asked]
    async with asyncio.timeout(60):
        while sum(loop.queue().values()) < 4:  # noqa: ASYNC110 (polled with a deadline)
            await asyncio.sleep(0.001)
        go.set()
        found = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(answer) for answer in found] == [str, ModelBroken, ModelBroken, str]
    assert found[0] == expected("hello", 20) and found[3] == expected("hello", 20, "there")
    await quiet(loop)
    settle(loop)
    await asyncio.to_thread(loop.close)


def test_a_prefix_for_which_there_is_no_memory_is_not_kept() -> None:
    def save() -> bytes:
        raise MemoryError

    store = SpillStore(1 << 20)
    assert not store.put(Prefix(np.arange(9, dtype=np.int32)), save) and store.bytes == 0


def test_several_who_want_the_same_file_try_it_once(tmp_path: Path, write_model: Any) -> None:
    path, tries = write_model(tmp_path / "m.gguf"), []
    lock, all_there = threading.Lock(), threading.Barrier(3)

    class Good:
        returncode, stdout = 0, '{"problem": null}'

    class Gathering:
        def __enter__(self) -> None:
            all_there.wait(60)
            lock.acquire()

        def __exit__(self, *_: object) -> None:
            lock.release()

    def run(command: Any, seconds: float) -> Outcome:
        tries.append(command)
        return Good()

    prober = Prober(tmp_path / "good.json", run=run)
    prober._lock = Gathering()  # type: ignore[assignment]
    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(prober.check, [path] * 3)) == [None] * 3
    assert len(tries) == 1


async def test_others_get_threads_while_adapters_are_tried(tmp_path: Path) -> None:
    begun, go = threading.Event(), threading.Event()

    class Slow:
        def check(self, path: Path, adapter: Path | None = None) -> None:
            begun.set()
            assert go.wait(60)

    nothing, prober = None, Slow()
    engine = LlamaEngine(nothing, nothing, prober)  # type: ignore[arg-type]
    with ThreadPoolExecutor(1) as executor:
        asyncio.get_running_loop().set_default_executor(executor)
        trial = asyncio.create_task(engine._adapter(ModelFile("m", tmp_path / "m", tmp_path / "a")))
        async with asyncio.timeout(60):
            while not begun.is_set():  # noqa: ASYNC110 (polled with a deadline)
                await asyncio.sleep(0.005)
            assert await asyncio.to_thread(lambda: "done") == "done"
        go.set()
        assert await trial == str(tmp_path / "a")


async def test_an_adapter_is_tried_once_for_all_who_want_it_and_again_a_while_after_it_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go, tries = threading.Event(), list[Path | None]()

    class Failing:
        def check(self, path: Path, adapter: Path | None = None) -> None:
            tries.append(adapter)
            assert go.wait(60)
            if len(tries) < 3:
                raise ModelBroken("It does not fit.")

    nothing, prober, file = None, Failing(), ModelFile("m", tmp_path / "m", tmp_path / "a")
    engine = LlamaEngine(nothing, nothing, prober)  # type: ignore[arg-type]
    monkeypatch.setattr("svc_chat.engine.llama_engine.FAILED_RETRY_S", 3600.0)
    asking = [asyncio.create_task(engine._adapter(file)) for _ in range(4)]
    async with asyncio.timeout(60):
        while not tries:  # noqa: ASYNC110 (polled with a deadline)
            await asyncio.sleep(0.005)
        asking[0].cancel()  # who leaves does not end it for the others
        go.set()
        found = await asyncio.gather(*asking, return_exceptions=True)
        assert [type(one) for one in found] == [asyncio.CancelledError, *[ModelBroken] * 3]
        with pytest.raises(ModelBroken):
            await engine._adapter(file)
        assert len(tries) == 1, "it is known for a while that it failed"
        monkeypatch.setattr("svc_chat.engine.llama_engine.FAILED_RETRY_S", 0.0)
        engine._trials.clear()
        with pytest.raises(ModelBroken):
            await engine._adapter(file)
        while engine._trials:  # noqa: ASYNC110 (polled with a deadline)
            await asyncio.sleep(0.005)
        for _ in range(2):
            assert await engine._adapter(file) == str(tmp_path / "a")
    assert len(tries) == 3


async def test_a_load_for_which_there_is_no_thread_is_refused_and_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loader = FakeLoader()
    pool = pool_of(loader, budget=60)
    async with pool.lend("a") as model:
        pass

    def none_left(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", none_left)
        with pytest.raises(NotReady, match="no thread left"):
            pool.load("c")
    assert model.closed, "what had to leave for it has left"
    async with asyncio.timeout(60), pool.lend("c") as other:
        assert other.name == "c"
    await asyncio.to_thread(pool.close)
    assert loader.memory == 0
