"""What becomes of running answers when the service is told to stop."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from svc_chat.engine.base import GenerationRequest, Message
from svc_chat.engine.fake import FakeEngine
from svc_chat.engine.group import EngineGroup
from tests.ports import free_port

SERVER = """
import sys
from servicekit.serve import serve
from svc_chat.app import create_app
from svc_chat.engine.fake import FakeEngine
from svc_chat.engine.group import EngineGroup
from svc_chat.settings import Settings
settings = Settings(data_dir=sys.argv[1], auth="off", port=int(sys.argv[2]), drain_s=6)
engine = EngineGroup([FakeEngine("word " * 10_000, delay_s=0.1)])
serve(create_app(settings, engine), settings)
"""
ASK = {"messages": [{"role": "user", "content": "hello"}], "stream": True, "max_tokens": 2048}


async def test_a_drained_answer_ends_with_what_there_is() -> None:
    group = EngineGroup([FakeEngine("word " * 10_000, delay_s=0.01)])
    request = GenerationRequest("fake-chat", (Message("user", "x"),), choices=2)
    deltas = []
    async for delta in group.generate(request):
        deltas.append(delta)
        if len(deltas) == 3:
            group.drain(0.05)
    assert [(d.index, d.finish_reason) for d in deltas[-2:]] == [(0, "length"), (1, "length")]
    assert len(deltas) < 100
    assert group.queue()["running"] == 0


async def test_an_answer_that_ends_in_time_is_not_touched() -> None:
    group = EngineGroup([FakeEngine("a b c")])
    group.drain(5)
    request = GenerationRequest("fake-chat", (Message("user", "x"),))
    deltas = [delta async for delta in group.generate(request)]
    assert "".join(d.text for d in deltas) == "a b c"
    assert deltas[-1].finish_reason == "stop"


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def process(tmp_path: Path, port: int) -> Iterator[subprocess.Popen]:
    """A service of its own with a slow engine."""
    started = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(tmp_path), str(port)],
        env={**os.environ, "LOG_LEVEL": "ERROR"},
        stderr=subprocess.DEVNULL,
    )
    yield started
    started.kill()
    started.wait()


async def test_on_sigterm_a_stream_ends_properly_and_the_process_too(
    process: subprocess.Popen, port: int
) -> None:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=120) as client:
        async with asyncio.timeout(60):
            while not await answers(client):  # noqa: ASYNC110 (polled with a deadline)
                await asyncio.sleep(0.05)
        lines = []
        told: float | None = None  # its 2048 words would take more than three minutes
        async with client.stream("POST", "/v1/chat/completions", json=ASK) as stream:
            async for line in stream.aiter_lines():
                lines += [line] if line else []
                if len(lines) == 5:
                    process.send_signal(signal.SIGTERM)
                    told = time.monotonic()
        assert told is not None
        assert time.monotonic() - told < 100, "the stream ended within the time to drain"
    assert lines[-1] == "data: [DONE]"
    last = json.loads(lines[-2].removeprefix("data: "))
    assert last["choices"][0]["finish_reason"] == "length"
    await asyncio.to_thread(process.wait, 60)


async def answers(client: httpx.AsyncClient) -> bool:
    """Tell whether the server is up."""
    try:
        return (await client.get("/healthz")).status_code == 200
    except httpx.HTTPError:
        return False
