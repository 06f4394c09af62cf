"""A model is loaded when the gateway grants it; without the gateway the machine's free memory decides."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable

import httpx
import pytest

from servicekit.errors import ServiceError
from servicekit.models import InstalledModel, Memory, ModelSlot, NoMemory, ServiceModels

MIB = 2**20
REFUSED = {"error": {"code": "no_memory_for_model", "message": "Held by: a (svc-chat, 9 MiB, in use)."}}


def memory_with(
    answer: Callable[[httpx.Request], httpx.Response], free: int = 100 * MIB
) -> tuple[Memory, list[dict[str, str]]]:
    asked: list[dict[str, str]] = []

    def note(request: httpx.Request) -> httpx.Response:
        asked.append(json.loads(request.content))
        return answer(request)

    client = httpx.Client(transport=httpx.MockTransport(note))
    return Memory("svc-x", "http://gateway", client=client, free=lambda: free), asked


def models_of(
    memory: Memory, size_bytes: int = 10 * MIB, **more: int
) -> tuple[ServiceModels, ModelSlot[object]]:
    slot: ModelSlot[object] = ModelSlot(object, name="m")
    entry = InstalledModel("m", "chat", size_bytes=size_bytes, **more)  # type: ignore[arg-type]
    models = ServiceModels("svc-x", [entry], slots={"m": slot})
    models.share(memory)
    return models, slot


def granted(_: httpx.Request) -> httpx.Response:
    return httpx.Response(200, json={"granted": True})


def away(_: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("refused")


def test_a_load_asks_first_and_is_told_as_held_until_it_is_unloaded() -> None:
    memory, asked = memory_with(granted)
    models, slot = models_of(memory)
    assert memory.report() == {"held": [], "wishes": []}
    with slot.use():
        (row,) = memory.report()["held"]
        assert (row["model"], row["bytes"], row["in_use"]) == ("m", 15 * MIB, True)
    assert asked[0]["service"] == "x" and len(asked) == 1
    assert memory.report()["held"][0]["in_use"] is False
    models.unload("m")
    assert memory.report() == {"held": [], "wishes": []}


def test_while_it_waits_a_load_is_a_wish_and_not_held() -> None:
    seen: list[dict] = []
    memory, asked = memory_with(lambda _: (seen.append(memory.report()), granted(_))[1])
    models_of(memory, memory_bytes=7)[1].load()
    (wish,) = seen[0]["wishes"]
    assert wish == {"id": asked[0]["wish"], "model": "m", "bytes": 7} and seen[0]["held"] == []


def test_a_refusal_of_the_gateway_is_the_callers_error_and_the_next_call_asks_again() -> None:
    answers = iter(
        [
            httpx.Response(503, json=REFUSED, headers={"Retry-After": "5"}),
            granted(httpx.Request("GET", "http://x")),
        ]
    )
    memory, _ = memory_with(lambda _: next(answers))
    slot = models_of(memory)[1]
    with pytest.raises(NoMemory, match="svc-chat") as refused:
        slot.load()
    assert (refused.value.status, refused.value.retry_after_s) == (503, 5)
    assert memory.report() == {"held": [], "wishes": []}
    slot.load()
    assert slot.loaded


@pytest.mark.parametrize(
    "answer", [away, lambda _: httpx.Response(404, json={}), lambda _: httpx.Response(200, text="hello")]
)
@pytest.mark.parametrize(("free", "loads"), [(15 * MIB, True), (15 * MIB - 1, False)])
def test_without_the_gateways_word_free_memory_decides(
    answer: Callable[[httpx.Request], httpx.Response], free: int, loads: bool
) -> None:
    slot = models_of(memory_with(answer, free)[0])[1]
    if loads:
        slot.load()
        assert slot.loaded
        return
    with pytest.raises(ServiceError, match="needs 15 MiB of memory and this machine has") as refused:
        slot.load()
    assert (refused.value.status, refused.value.code) == (503, "no_memory_for_model")


def test_a_model_that_comes_later_asks_too() -> None:
    memory, asked = memory_with(granted)
    models, _ = models_of(memory)
    slot: ModelSlot[object] = ModelSlot(object, name="n")
    models.add(InstalledModel("n", "chat", size_bytes=2), slot)
    slot.load()
    assert len(asked) == 1 and memory.report()["held"][0]["bytes"] == 3


def test_many_threads_that_want_one_model_ask_once() -> None:
    memory, asked = memory_with(granted)
    slot = models_of(memory)[1]
    threads = [threading.Thread(target=slot.load) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(asked) == 1
