"""A slot loads once, unloads when idle and never while somebody uses the model."""

from __future__ import annotations

import gc
import threading
import time
import traceback
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import cast

import pytest

from servicekit.errors import Conflict, NotReady
from servicekit.models import ModelSlot


def wait_until(holds: Callable[[], bool], within_s: float = 60.0) -> bool:
    deadline = time.monotonic() + within_s
    pause = threading.Event()
    while time.monotonic() < deadline:
        if holds():
            return True
        pause.wait(0.005)
    return False


def test_concurrent_callers_share_one_load() -> None:
    loads: list[int] = []
    gate = threading.Event()

    def load() -> str:
        loads.append(1)
        gate.wait(60)
        return "model"

    slot = ModelSlot(load)

    def use(_: int) -> str:
        with slot.use() as model:
            return model

    with ThreadPoolExecutor(8) as pool:
        results = [pool.submit(use, n) for n in range(8)]
        assert wait_until(lambda: slot.state == "loading")
        gate.set()
        assert [r.result(60) for r in results] == ["model"] * 8
    assert loads == [1] and slot.loaded and slot.users == 0


def test_a_load_error_reaches_every_waiting_caller_and_the_next_call_tries_again() -> None:
    attempts: list[int] = []
    gate = threading.Event()

    def load() -> str:
        attempts.append(1)
        gate.wait(60)
        if len(attempts) == 1:
            raise OSError("/secret/path is missing")
        return "model"

    slot = ModelSlot(load, name="draw")
    with ThreadPoolExecutor(4) as pool:
        results = [pool.submit(slot.load) for _ in range(4)]
        assert wait_until(lambda: len(slot._changed._waiters) == 3)  # type: ignore[attr-defined]
        gate.set()
        errors = [r.exception(60) for r in results]
    assert all(isinstance(e, NotReady) and "secret" not in e.message for e in errors)
    assert slot.state == "failed" and attempts == [1]
    slot.load()
    assert slot.loaded


def test_an_idle_model_is_unloaded_and_loaded_again_on_demand() -> None:
    freed: list[str] = []
    slot = ModelSlot(lambda: "model", freed.append, idle_unload_s=0.02)
    slot.load()
    assert wait_until(lambda: slot.state == "unloaded")
    assert freed == ["model"]
    with slot.use() as model:
        assert model == "model"
    slot.close()


def test_a_model_in_use_is_not_unloaded_however_long_it_takes() -> None:
    freed: list[str] = []
    slot = ModelSlot(lambda: "model", freed.append, idle_unload_s=0.01)
    with slot.use():
        assert not wait_until(lambda: bool(freed), within_s=0.1)
        with pytest.raises(Conflict):
            slot.unload()
    assert wait_until(lambda: bool(freed))


def test_closing_stops_the_timer_thread_and_frees_the_model() -> None:
    freed: list[str] = []
    slot = ModelSlot(lambda: "model", freed.append, idle_unload_s=60, name="closing")
    slot.load()
    slot.close()
    assert freed == ["model"]
    assert not [t for t in threading.enumerate() if t.name == "idle-closing"]
    with pytest.raises(NotReady):
        slot.load()


def test_a_failed_load_is_not_repeated_at_once_unless_its_source_changed() -> None:
    attempts: list[int] = []
    version = [1]

    def load() -> str:
        attempts.append(1)
        if version[0] == 1:
            raise OSError("no")
        return "model"

    slot = ModelSlot(load, retry_s=60, version=lambda: version[0])
    for _ in range(3):
        with pytest.raises(NotReady) as caught:
            slot.load()
        assert caught.value.retry_after_s
    assert attempts == [1] and slot.error and slot.refusal() is not None
    version[0] = 2
    slot.load()
    assert attempts == [1, 1] and slot.error is None


def test_what_a_library_keeps_is_given_back_when_the_model_is_gone() -> None:
    class Model:
        pass

    seen: list[bool] = []
    loaded: list[weakref.ref[Model]] = []
    slot: ModelSlot[Model] = ModelSlot(Model, freed=lambda: seen.append(loaded[-1]() is None))
    for free in (slot.unload, lambda: cast(Callable[[], object], slot.detach())(), slot.close):
        with slot.use() as model:
            loaded.append(weakref.ref(model))
        del model
        free()
    assert seen == [True, True, True]


def test_a_load_that_failed_leaves_nothing_of_the_model_in_memory() -> None:
    class Weights:
        pass

    parts: list[weakref.ref[Weights]] = []

    def load() -> str:
        weights = Weights()
        parts.append(weakref.ref(weights))
        try:
            raise OSError("a file is torn")
        except OSError as error:
            raise NotReady("It cannot be loaded.") from error

    slot = ModelSlot(load, retry_s=60)
    for _ in range(3):
        with pytest.raises(NotReady):
            slot.load()
    gc.collect()
    assert slot.error == "It cannot be loaded." and parts[0]() is None


def test_an_error_that_is_kept_does_not_gather_those_who_asked() -> None:
    def load() -> str:
        raise OSError("no")

    slot = ModelSlot(load, retry_s=60)
    lengths = []
    for _ in range(3):
        with pytest.raises(NotReady) as caught:
            slot.load()
        lengths.append(len(traceback.extract_tb(caught.value.__traceback__)))
    assert lengths[1] == lengths[2]


def test_progress_is_told_while_loading_only() -> None:
    told: list[float] = []

    def load() -> str:
        slot.report(0.4)
        told.append(slot.progress)
        slot.report(7.0)
        told.append(slot.progress)
        return "model"

    slot = ModelSlot(load)
    assert slot.progress == 0.0
    slot.load()
    assert told == [0.4, 1.0] and slot.progress == 1.0
    slot.unload()
    assert slot.progress == 0.0


def test_a_ready_model_is_lent_without_waiting_and_a_used_one_not_taken_out() -> None:
    freed: list[str] = []
    slot = ModelSlot(lambda: "model", freed.append)
    assert slot.try_acquire() is None and slot.detach() is None and slot.peek() is None
    slot.load()
    assert slot.try_acquire() == slot.peek() == "model"
    assert slot.detach() is None
    slot.release()
    free = slot.detach()
    assert free is not None and slot.state == "unloading" and slot.try_acquire() is None and not freed
    free()
    assert freed == ["model"] and slot.state == "unloaded"


def test_a_closed_slot_is_freed_by_its_last_user() -> None:
    freed: list[str] = []
    slot = ModelSlot(lambda: "model", freed.append)
    slot.load()
    slot.try_acquire()
    slot.close()
    assert not freed
    slot.release()
    assert freed == ["model"]


def test_a_slot_closed_while_it_loads_is_freed() -> None:
    freed: list[str] = []
    gate = threading.Event()
    slot = ModelSlot(lambda: "model" if gate.wait(60) else "late", freed.append)
    slot.begin()
    assert wait_until(lambda: slot.state == "loading")
    slot.close()
    gate.set()
    assert wait_until(lambda: freed == ["model"])


def test_every_change_of_state_is_told() -> None:
    seen: list[str] = []
    slot: ModelSlot[str] = ModelSlot(lambda: "model", changed=lambda: seen.append(slot.state))
    slot.load()
    slot.unload()
    assert [state for state, last in zip(seen, ["", *seen], strict=False) if state != last] == [
        "loading",
        "ready",
        "unloaded",
    ]


def test_a_version_that_cannot_be_told_is_a_failed_load_and_no_load_without_end() -> None:
    there = [False]

    def version() -> str:
        if not there[0]:
            raise FileNotFoundError("the file is being replaced")
        return "1"

    slot = ModelSlot(lambda: "model", version=version)
    with pytest.raises(NotReady):
        slot.load()
    assert slot.state == "failed"
    there[0] = True
    slot.load()
    assert slot.loaded
