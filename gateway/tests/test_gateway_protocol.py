"""The server's side of HTTP: whole answers in one write, what is not plain, and idle connections."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import uvicorn

from gateway.api.exchange import WHOLE
from gateway.api.protocol import Cycle, Protocol

from .conftest import patiently, until

App = Callable[[Any, Any, Any], Awaitable[None]]
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
Headers = list[tuple[bytes, bytes]]


def answering(status: int = 200, headers: Headers | None = None, body: bytes = b"hello") -> App:
    async def app(scope: Any, _: Any, send: Any) -> None:
        assert WHOLE in scope["extensions"]
        told = [(b"content-length", b"%d" % len(body))] if headers is None else headers
        await send({"type": "http.response.start", "status": status, "headers": told, "body": body})

    return app


@contextlib.asynccontextmanager
async def serving(
    app: App, keep_alive_s: int = 30
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    config = uvicorn.Config(
        app, port=0, http=Protocol, lifespan="off", log_config=None, timeout_keep_alive=keep_alive_s
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server._serve())
    await until(lambda: server.started)
    reader, writer = await asyncio.open_connection(*server.servers[0].sockets[0].getsockname())
    try:
        yield reader, writer
    finally:
        writer.close()
        server.should_exit = True
        await task


async def answer_to(request: bytes, app: App) -> bytes:
    async with serving(app) as (reader, writer):
        writer.write(request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        return await asyncio.wait_for(reader.read(), 60)


async def test_a_whole_answer_is_one_write(monkeypatch: pytest.MonkeyPatch) -> None:
    written = []

    def write(self: Cycle, *given: Any) -> None:
        transport = self.transport
        self.transport = type("Spy", (), {"write": lambda _, x: (written.append(x), transport.write(x))})()
        whole(self, *given)

    whole = Cycle._write_whole
    monkeypatch.setattr(Cycle, "_write_whole", write)
    async with serving(answering()) as (reader, writer):
        writer.write(GET)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 OK\r\n")
        assert await reader.readexactly(5) == b"hello"
    assert len(written) == 1


async def test_requests_that_come_at_once_are_answered_in_turn() -> None:
    async def echo(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(0.01 if scope["path"] == "/0" else 0)
        await answering(body=scope["path"].encode())(scope, receive, send)

    async with serving(echo) as (reader, writer):
        writer.write(b"".join(GET.replace(b"/ ", b"/%d " % n) for n in range(5)))
        for n in range(5):
            await reader.readuntil(b"\r\n\r\n")
            assert await reader.readexactly(2) == b"/%d" % n


async def test_the_answer_to_a_head_has_no_body() -> None:
    said = await answer_to(GET.replace(b"GET", b"HEAD"), answering())
    assert b"content-length: 5\r\n" in said and said.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("status", [204, 304])
async def test_an_answer_without_a_body_has_none(status: int) -> None:
    said = await answer_to(GET, answering(status, [], b""))
    assert said.startswith(b"HTTP/1.1 %d " % status) and said.endswith(b"\r\n\r\n")


async def test_a_body_whose_length_is_not_told_goes_out_in_chunks() -> None:
    said = await answer_to(GET, answering(headers=[]))
    assert b"transfer-encoding: chunked" in said and said.endswith(b"\r\n\r\n5\r\nhello\r\n0\r\n\r\n")


async def test_a_body_of_another_length_than_was_told_is_not_passed_for_whole() -> None:
    said = await answer_to(GET, answering(headers=[(b"content-length", b"9")]))
    assert b"content-length: 9\r\n" in said and len(said.partition(b"\r\n\r\n")[2]) < 9


@pytest.mark.parametrize("value", [b"a\r\nx-evil: 1", b"a\nb", b"a\rb", b"a\0b"])
async def test_a_header_that_would_end_early_is_not_sent_and_nobody_waits_for_it(value: bytes) -> None:
    async def swallowing(scope: Any, receive: Any, send: Any) -> None:
        app = answering(headers=[(b"content-length", b"5"), (b"x-a", value)])
        with contextlib.suppress(RuntimeError):
            await app(scope, receive, send)

    async with serving(swallowing) as (reader, writer):
        writer.write(GET)
        said = await asyncio.wait_for(reader.read(), 60)
    assert said.startswith(b"HTTP/1.1 500 ") and value not in said and b"hello" not in said


async def test_an_answer_that_says_so_closes_the_connection() -> None:
    headers = [(b"content-length", b"5"), (b"connection", b"close")]
    async with serving(answering(headers=headers)) as (reader, writer):
        writer.write(GET)
        said = await asyncio.wait_for(reader.read(), 60)
    assert said.count(b"connection: close") == 1 and said.endswith(b"\r\n\r\nhello")


async def test_an_idle_connection_is_closed_and_one_in_use_is_not() -> None:
    async def kept(idle_s: float) -> None:
        async def slow(scope: Any, receive: Any, send: Any) -> None:
            await asyncio.sleep(1.5 * idle_s if scope["path"] == "/slow" else 0)
            await answering()(scope, receive, send)

        async with serving(slow, keep_alive_s=int(idle_s)) as (reader, writer):
            for path in (b"/", b"/slow", b"/"):
                writer.write(GET.replace(b"/ ", path + b" "))
                await reader.readuntil(b"\r\n\r\n")
                assert await reader.readexactly(5) == b"hello"
            assert await asyncio.wait_for(reader.read(), 60) == b""

    await patiently(kept, (1.0, 5.0, 20.0))


@pytest.mark.parametrize("begun", [b"", b"GET / HTTP/1.1\r\nHost: x\r\nX-A: "])
@pytest.mark.parametrize("asked_before", [False, True])
async def test_who_never_sends_a_whole_head_is_not_waited_for(begun: bytes, asked_before: bool) -> None:
    async with serving(answering(), keep_alive_s=1) as (reader, writer):
        if asked_before:
            writer.write(GET + begun)
            await reader.readuntil(b"\r\n\r\n")
            assert await reader.readexactly(5) == b"hello"
        else:
            writer.write(begun)
        assert await asyncio.wait_for(reader.read(), 60) == b""


async def test_a_request_that_came_with_another_is_answered_however_long_it_takes() -> None:
    async def slow(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(3 if scope["path"] == "/slow" else 0)
        await answering()(scope, receive, send)

    async with serving(slow, keep_alive_s=1) as (reader, writer):
        writer.write(GET + GET.replace(b"/ ", b"/slow "))
        for _ in range(2):
            await reader.readuntil(b"\r\n\r\n")
            assert await reader.readexactly(5) == b"hello"
