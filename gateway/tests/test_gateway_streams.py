"""Bodies pass as they come: nothing is gathered, and who leaves is missed at once."""

from __future__ import annotations

import asyncio

import aiohttp
import psutil
import pytest
from aiohttp import web

from tests.gateway_process import AUTH, GatewayProcess

from .conftest import KEY, until

CHAT, FILES, MEDIA = "/v1/chat/completions", "/v1/files", "/media/img_1"
SIZE, PIECE = 50_000_000, 250_000


class Listener:
    """A bare TCP server in the place of a service: keeps what came in and whether the other side closed."""

    def __init__(self) -> None:
        self.got = b""
        self.closed = False

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            first = await reader.readuntil(b"\r\n\r\n")
            if first.startswith(b"GET /readyz"):
                writer.write(b'HTTP/1.1 200 OK\r\ncontent-length: 18\r\n\r\n{"status":"ready"}')
                await reader.read()
                return
            self.got = first
            while chunk := await reader.read(65536):
                self.got += chunk
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.closed = bool(self.got)
            writer.close()


@pytest.fixture
async def listener(gateway):
    listener = Listener()
    server = await asyncio.start_server(listener.take, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    gateway.parts.upstreams.endpoints["chat"][0].url = f"http://127.0.0.1:{port}"
    yield listener
    server.close()


async def connect(gateway):
    host, port = gateway.url.removeprefix("http://").split(":")
    return await asyncio.open_connection(host, int(port))


HEAD = f"POST {FILES} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {KEY}\r\n".encode()


@pytest.mark.parametrize(
    ("head", "body"),
    [
        (b"Transfer-Encoding: chunked\r\n\r\n", b"4\r\nbody\r\n"),
        (b"Content-Length: 200000\r\n\r\n", b"x" * 100_000),
    ],
)
async def test_an_upload_whose_client_leaves_is_cut_off_and_never_looks_whole(gateway, listener, head, body):
    _, writer = await connect(gateway)
    writer.write(HEAD + head + body)
    await until(lambda: body[-90:] in listener.got)
    assert not listener.closed
    writer.transport.abort()
    await until(lambda: listener.closed)
    assert b"\r\n0\r\n\r\n" not in listener.got and listener.got.count(b"x" * 1000) <= 100
    await until(lambda: gateway.parts.upstreams.in_flight("chat") == 0)


async def test_a_small_body_that_never_comes_whole_is_not_sent_at_all(gateway, listener):
    _, writer = await connect(gateway)
    writer.write(HEAD + b"Content-Length: 100\r\n\r\n" + b"x" * 50)
    await asyncio.sleep(0.2)
    writer.transport.abort()
    await asyncio.sleep(0.3)
    assert listener.got == b""
    await until(lambda: gateway.parts.upstreams.in_flight("chat") == 0)


async def test_a_client_who_leaves_while_it_waits_closes_the_call_upstream_at_once(gateway, listener):
    _, writer = await connect(gateway)
    writer.write(HEAD + b"Content-Length: 2\r\n\r\n{}")
    await until(lambda: listener.got.endswith(b"{}"))
    writer.transport.abort()
    await until(lambda: listener.closed)


async def test_fifty_megabytes_pass_both_ways_without_staying_in_memory(fake, tmp_path):
    async def take(request: web.Request) -> web.Response:
        got = 0
        async for chunk in request.content.iter_any():
            got += len(chunk)
        return web.json_response({"got": got})

    async def give(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": str(SIZE)})
        await response.prepare(request)
        for _ in range(SIZE // PIECE):
            await response.write(b"z" * PIECE)
        return response

    async def body():
        for _ in range(SIZE // PIECE):
            yield b"a" * PIECE

    take.raw = give.raw = True
    fake.routes |= {FILES: take, MEDIA: give}
    async with GatewayProcess(fake.url, tmp_path) as gateway, aiohttp.ClientSession(headers=AUTH) as client:
        process = psutil.Process(gateway.pid)
        async with client.get(gateway.url + "/v1/personas") as answer:
            assert answer.status == 200
        before = largest = process.memory_info().rss
        for content in (body(), b"a" * SIZE):
            async with client.post(gateway.url + FILES, data=content) as answer:
                assert await answer.json() == {"got": SIZE}
            largest = max(largest, process.memory_info().rss)
        got = 0
        async with client.get(gateway.url + MEDIA) as answer:
            async for chunk in answer.content.iter_any():
                got += len(chunk)
                if got % (SIZE // 20) < len(chunk):
                    await asyncio.sleep(0.01)  # slower than the service
                    largest = max(largest, process.memory_info().rss)
        assert got == SIZE
        assert largest - before < 16_000_000


@pytest.mark.parametrize(("trusted", "client"), [("", "127.0.0.1"), ("127.0.0.1", "203.0.113.7")])
async def test_only_a_trusted_proxy_tells_who_the_client_is(fake, tmp_path, trusted, client):
    told = AUTH | {"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil"}
    async with (
        GatewayProcess(fake.url, tmp_path, GATEWAY_TRUSTED_PROXIES=trusted) as gateway,
        aiohttp.ClientSession(headers=told) as session,
        session.get(gateway.url + "/v1/personas") as answer,
    ):
        assert answer.status == 200
        host = gateway.url.removeprefix("http://")
    seen = fake.calls("/v1/personas")[0].headers
    assert seen["X-Forwarded-For"] == client and seen["X-Forwarded-Host"] == host
    assert seen["X-Forwarded-Proto"] == ("https" if trusted else "http")
    assert seen["Host"] == fake.url.removeprefix("http://")
