"""Lists of models cost nothing while a server is away, and its failures reach the callers of svc-chat as they should."""

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from svc_chat.app import create_app
from svc_chat.engine import modellist
from svc_chat.engine.base import Engine
from svc_chat.engine.fake import FakeEngine
from svc_chat.engine.group import EngineGroup
from svc_chat.engine.modellist import ModelList
from svc_chat.settings import Settings


async def test_the_list_of_models_is_asked_for_once_in_a_while(
    kind: Callable[..., Engine], other: Any
) -> None:
    engine = kind()
    found = await asyncio.gather(*(engine.models() for _ in range(20)))
    assert {models[0].id for models in found} == {"big"}
    assert other.listed == 1
    await engine.close()


@pytest.mark.parametrize("mode", ["slow list", "no list", "garbage"])
async def test_a_list_that_does_not_come_costs_half_a_second_once(
    kind: Callable[..., Engine], other: Any, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(modellist, "PATIENCE_S", 0.5)
    other.mode = mode
    group = EngineGroup([FakeEngine(), kind(), kind()])
    start = time.monotonic()
    assert [m.id for m in await group.models()] == ["fake-chat"]
    first = time.monotonic()
    for _ in range(200):
        await group.models()
    assert first - start < 25
    assert time.monotonic() - first < 40, "not half a second each"
    assert len(group.away()) == 2
    again = int((time.monotonic() - start) / modellist.FRESH_S)
    assert other.listed <= 2 + 2 * again
    await group.close()


async def test_a_server_that_is_only_slow_keeps_its_list_and_nobody_waits() -> None:
    slow = False

    async def models() -> list:
        if slow:
            await asyncio.sleep(30)
        return ["big"]

    listed = ModelList(models, fresh_s=0.0, patience_s=60.0)
    assert await listed.get() == ["big"]
    slow, listed._patience_s = True, 0.5
    start = time.monotonic()
    for _ in range(100):
        assert await listed.get() == ["big"]
    assert time.monotonic() - start < 25, "not half a second each"
    assert not listed.away
    await listed.close()


async def test_a_list_comes_back_when_its_server_does() -> None:
    there = False

    async def models() -> list:
        if not there:
            raise httpx.ConnectError("refused")
        return ["big"]

    listed = ModelList(models, fresh_s=0.0)
    assert await listed.get() == []
    there = True
    for _ in range(100):  # turns of the loop: it is asked behind the scenes
        if await listed.get():
            break
        await asyncio.sleep(0)
    assert (await listed.get(), listed.away) == (["big"], False)
    await listed.close()


@pytest.fixture
def through(kind: Callable[..., Engine], tmp_path: Path) -> Iterator[Callable[[], TestClient]]:
    """Return a function that starts svc-chat before the other server."""
    opened: list[TestClient] = []

    def start() -> TestClient:
        settings = Settings(data_dir=tmp_path, auth="off", allowed_hosts=("testserver",))
        client = TestClient(create_app(settings, EngineGroup([FakeEngine(), kind()])))
        client.__enter__()
        opened.append(client)
        return client

    yield start
    for client in opened:
        client.__exit__(None, None, None)


HELLO = [{"role": "user", "content": "hi"}]


def test_a_cut_in_mid_stream_reaches_the_caller_as_an_error_event(
    other: Any, through: Callable[[], TestClient]
) -> None:
    other.mode = "cut"
    sent = (
        through().post("/v1/chat/completions", json={"model": "big", "messages": HELLO, "stream": True}).text
    )
    events = [json.loads(line[6:]) for line in sent.splitlines() if line.startswith("data: ")]
    assert events[1]["choices"][0]["delta"]["content"] == "Hel"
    assert events[-1]["error"]["code"] == "upstream_failed"


def test_an_early_refusal_keeps_its_status_and_retry_after(
    other: Any, through: Callable[[], TestClient]
) -> None:
    other.mode = "429"
    for stream in (False, True):
        body = {"model": "big", "messages": HELLO, "stream": stream}
        answer = through().post("/v1/chat/completions", json=body)
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")


def test_a_name_that_an_absent_server_may_have_is_a_503(
    other: Any, through: Callable[[], TestClient]
) -> None:
    other.mode = "no list"
    client = through()
    assert client.post("/v1/chat/completions", json={"messages": HELLO}).status_code == 200
    answer = client.post("/v1/chat/completions", json={"model": "qwen:4b", "messages": HELLO})
    assert answer.status_code == 503
    assert "does not answer" in answer.json()["error"]["message"]
    assert answer.headers["retry-after"]
