"""Failures of other servers become ours; deadlines and leaving end what they write."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

import pytest

from servicekit.errors import (
    BadRequest,
    DeadlineExceeded,
    ModelNotFound,
    NotReady,
    ServiceError,
    TooBusy,
    UpstreamFailed,
)
from svc_chat.domain.answers import Answer, gathered
from svc_chat.engine.base import Engine, GenerationRequest, Message

DOT = "data:image/png;base64,iVBORw0KGgo="
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
CALL = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Recife"}'}}


def ask(**fields: Any) -> GenerationRequest:
    return GenerationRequest("big", (Message("user", "hi"),), **fields)


async def answers(engine: Engine, request: GenerationRequest) -> list[Answer]:
    try:
        return await gathered(engine.generate(request), request.choices)
    finally:
        await engine.close()


async def test_text_and_usage_come_through(kind: Callable[..., Engine], other: Any) -> None:
    answer = (await answers(kind(), ask()))[0]
    assert (answer.text, answer.finish_reason) == ("Hello", "stop")
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (5, 4)
    assert answer.usage.run_s > 0
    if "choices" in other.pieces[0]:
        assert answer.usage.cached_tokens == 3
    else:
        assert (answer.usage.load_s, answer.usage.run_s) == (2, 3)


@pytest.mark.parametrize(
    ("mode", "error"),
    [
        ("400", BadRequest),
        ("401", UpstreamFailed),
        ("403", UpstreamFailed),
        ("404", ModelNotFound),
        ("413", BadRequest),
        ("429", TooBusy),
        ("500", UpstreamFailed),
        ("503", NotReady),
        ("504", DeadlineExceeded),
        ("cut", UpstreamFailed),
        ("garbage", UpstreamFailed),
        ("nonsense", UpstreamFailed),
        ("error", UpstreamFailed),
        ("endless line", UpstreamFailed),
    ],
)
async def test_its_failures_become_ours_without_its_text(
    kind: Callable[..., Engine], other: Any, mode: str, error: type[ServiceError]
) -> None:
    other.mode = mode
    with pytest.raises(error) as caught:
        await answers(kind(), ask())
    assert type(caught.value) is error or mode in ("400", "413")
    assert "secret" not in caught.value.message
    if mode in ("429", "503"):
        assert caught.value.retry_after_s == 7
    if mode == "400":
        assert caught.value.code == "context_length_exceeded"


@pytest.mark.parametrize("mode", ["slow start", "hangs"])
async def test_a_server_that_takes_too_long_is_a_504(
    kind: Callable[..., Engine], other: Any, mode: str
) -> None:
    other.mode = mode
    with pytest.raises(DeadlineExceeded):
        await answers(kind(timeout_s=0.3), ask())


async def test_the_callers_own_deadline_keeps_what_there_is(kind: Callable[..., Engine], other: Any) -> None:
    other.mode = "hangs"
    for limit_s in (0.4, 4.0, 20.0):  # the machine may be too busy for the shorter ones
        answer = (await answers(kind(), ask(timeout_s=limit_s)))[0]
        if answer.text:
            break
    assert (answer.text, answer.finish_reason) == ("Hel", "length")


async def test_leaving_closes_the_connection_at_once(kind: Callable[..., Engine], other: Any) -> None:
    other.mode = "hangs"
    engine = kind()
    async with aclosing(engine.generate(ask())) as deltas:  # type: ignore[type-var]
        assert (await anext(deltas)).text == "Hel"
        assert engine.queue()["running"] == 1
    assert engine.queue()["running"] == 0
    assert await asyncio.to_thread(other.left.wait, 25)
    await engine.close()


async def test_nobody_there_is_a_502(kind: Callable[..., Engine], other: Any) -> None:
    other.port = 1
    with pytest.raises(UpstreamFailed, match="cannot be reached"):
        await answers(kind(), ask())
