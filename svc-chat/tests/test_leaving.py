"""A caller that leaves frees what works for it, at whatever moment it leaves."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from svc_chat.app import create_app
from svc_chat.engine.base import Delta, GenerationRequest
from svc_chat.engine.fake import FakeEngine
from svc_chat.settings import Settings
from svc_chat.together import together


class Hanging(FakeEngine):
    """Writes `words` and then waits for ever."""

    def __init__(self, words: int):
        super().__init__()
        self._words = words
        self.started, self.freed = asyncio.Event(), asyncio.Event()

    async def generate(self, request: GenerationRequest) -> AsyncIterator[Delta]:
        try:
            for _ in range(self._words):
                yield Delta("word ")
            self.started.set()
            await asyncio.Event().wait()
        finally:
            self.freed.set()


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/completions", "/api/chat"])
@pytest.mark.parametrize(("stream", "words"), [(False, 0), (True, 0), (True, 3)])
async def test_the_slot_is_free_when_the_caller_has_left(
    tmp_path: Path, path: str, stream: bool, words: int
) -> None:
    engine = Hanging(words)
    settings = Settings(data_dir=tmp_path, auth="off", allowed_hosts=("testserver",), vision_url="")
    app = create_app(settings, engine)
    body = {"messages": [{"role": "user", "content": "x"}], "prompt": "x", "message": "x", "stream": stream}
    sent = [{"type": "http.request", "body": json.dumps(body).encode(), "more_body": False}]

    async def receive() -> dict:
        if sent:
            return sent.pop()
        await engine.started.wait()
        return {"type": "http.disconnect"}

    async def send(_: dict) -> None:
        return None

    headers = [(b"host", b"testserver"), (b"content-type", b"application/json")]
    scope = {"type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1",
             "method": "POST", "path": path, "raw_path": path.encode(), "query_string": b"", "headers": headers,
             "scheme": "http", "server": ("testserver", 80), "client": ("test", 1), "root_path": ""}  # fmt: skip
    async with asyncio.timeout(60):
        await app(scope, receive, send)  # type: ignore[arg-type]
        await engine.freed.wait()


async def counting(stop: int, closed: list[int]) -> AsyncIterator[int]:
    try:
        for number in range(stop):
            await asyncio.sleep(0)
            yield number
    finally:
        closed.append(stop)


async def test_several_streams_become_one_and_a_few_run_at_a_time() -> None:
    closed: list[int] = []
    found = [n async for n in together([counting(stop, closed) for stop in (3, 1, 2)], at_once=2)]
    assert sorted(found) == [0, 0, 0, 1, 1, 2]
    assert sorted(closed) == [1, 2, 3]


async def test_an_error_in_one_ends_the_others() -> None:
    closed: list[int] = []

    async def failing() -> AsyncIterator[int]:
        yield 1
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        async for _ in together([counting(10**9, closed), failing()], at_once=2):
            pass
    assert closed == [10**9]


async def test_closing_one_stream_of_several_closes_all() -> None:
    closed: list[int] = []
    everything = together([counting(10**9, closed), counting(10**8, closed)], at_once=2)
    assert await anext(everything) == 0
    await everything.aclose()
    assert sorted(closed) == [10**8, 10**9]
