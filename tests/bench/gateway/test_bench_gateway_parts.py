"""The parts of the gateway's benchmark that reckon: what is sent, the tokens that are counted, who takes part."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import uvicorn

from tests.bench.gateway import stream_client, token_source, traffic
from tests.bench.gateway.__main__ import ROWS, _contenders
from tests.bench.gateway.bench import CONTENDERS
from tests.bench.processes import free_port


def test_calls_and_answers_have_their_size_and_shape() -> None:
    for body in (traffic.question(), traffic.translation(), traffic.answer()):
        assert len(body) == traffic.SIZE
        assert json.loads(body)
    message = json.loads(traffic.answer())["choices"][0]["message"]
    assert message["role"] == "assistant" and len(message["content"]) > 500


def test_contenders_are_chosen_by_a_beginning_and_ours_always_takes_part() -> None:
    assert _contenders("") == CONTENDERS
    assert _contenders("lite,nginx") == ("gateway", "LiteLLM proxy", "nginx")
    with pytest.raises(SystemExit, match="nobody is called 'apache'"):
        _contenders("apache")
    assert {"calls", "added", "hits", "streams", "first"} <= set(ROWS)


@asynccontextmanager
async def source() -> AsyncIterator[str]:
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(token_source.app, port=port, log_config=None, lifespan="off"))
    task = asyncio.create_task(server._serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.01)
    yield f"http://127.0.0.1:{port}/v1/chat/completions"
    server.should_exit = True
    await task


async def test_every_token_of_every_stream_is_counted() -> None:
    async with source() as url:
        found = await stream_client.read(f"{url}?tokens=500&every_ms=0", streams=8, tokens=500)
        assert found["tokens"] == 4000 and len(found["first_ms"]) == 8  # type: ignore[arg-type]
        with pytest.raises(RuntimeError, match="500 tokens of 501"):
            await stream_client.read(f"{url}?tokens=500&every_ms=0", streams=1, tokens=501)


async def test_a_token_that_is_cut_in_two_is_counted_once() -> None:
    stream = stream_client.Stream(b"")
    whole = b"HTTP/1.1 200 OK\r\n\r\n" + traffic.event(1) * 3
    for at in range(len(whole)):
        stream.data_received(whole[at : at + 1])
    assert stream.tokens == 3 and stream.status == b"HTTP/1.1 200"
