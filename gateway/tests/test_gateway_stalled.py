"""A client that stops in the middle of sending, as a laptop that is shut does, holds nothing for ever."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web

from gateway.api import exchange
from tests.gateway_process import KEY

from .conftest import until


async def begun(gateway, path: str, head: str):
    """Send a head and one byte of the body, and no more."""
    host, port = gateway.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {KEY}\r\n"
        f"Content-Type: application/json\r\n{head}\r\n\r\n".encode()
    )
    return reader, writer


@pytest.mark.parametrize(
    ("head", "body"),
    [("Content-Length: 200000", b"x"), ("Transfer-Encoding: chunked", b"1\r\nx\r\n")],
    ids=["declared", "chunked"],
)
async def test_an_upload_that_stalls_is_given_up_and_its_place_is_free(gateway, monkeypatch, head, body):
    seen = asyncio.Event()

    async def take(request: web.Request) -> web.Response:
        seen.set()
        await request.read()
        return web.Response()

    take.raw = True  # type: ignore[attr-defined]
    gateway.fake.routes["/v1/documents"] = take
    reader, writer = await begun(gateway, "/v1/documents", head)
    writer.write(body)
    async with asyncio.timeout(60):
        await seen.wait()
        monkeypatch.setattr(exchange, "BODY_SILENCE_S", 0.3)  # not before: the service is to have it begun
        writer.write(body)
        answer = await reader.read()
    writer.close()
    assert answer.startswith(b"HTTP/1.1 408 ") and b"body_timeout" in answer
    assert b"connection: close" in answer.lower()
    await until(lambda: gateway.parts.upstreams.in_flight("rag") == 0)
    assert gateway.parts.upstreams.endpoints["rag"][0].state == "closed", "it is not the service's fault"


@pytest.mark.parametrize(
    ("path", "head", "body"),
    [
        ("/v1/documents", "Content-Length: 20", b""),
        ("/v1/documents", "Content-Length: 20", b"x"),
        ("/v1/translations", "Content-Length: 20", b"{"),
        ("/auth/login", "Content-Length: 20", b"{"),
        ("/v1/pipelines/describe", "Transfer-Encoding: chunked", b"1\r\n{\r\n"),
        ("/v1/models/install", "Content-Length: 200000", b"{"),
    ],
)
async def test_a_small_body_and_one_of_the_gateways_own_routes_is_given_up_as_well(
    gateway, monkeypatch, path, head, body
):
    monkeypatch.setattr(exchange, "BODY_SILENCE_S", 0.3)
    reader, writer = await begun(gateway, path, head)
    writer.write(body)
    async with asyncio.timeout(60):
        answer = await reader.read()
    writer.close()
    assert answer.startswith(b"HTTP/1.1 408 ") and b"body_timeout" in answer, answer
    assert b"connection: close" in answer.lower()


async def test_who_sent_a_whole_body_is_waited_for_without_a_limit(monkeypatch):
    monkeypatch.setattr(exchange, "BODY_SILENCE_S", 0.01)
    told = [{"type": "http.request", "body": b"x", "more_body": False}]

    async def receive():
        if told:
            return told.pop()
        await asyncio.sleep(0.2)
        return {"type": "http.disconnect"}

    scope = {"method": "POST", "path": "/", "headers": [(b"content-length", b"1")], "query_string": b""}
    x = exchange.Exchange(scope, receive, None, 10)
    assert (await x.receive())["body"] == b"x"
    assert (await x.receive())["type"] == "http.disconnect"


async def test_an_upload_that_is_slow_and_goes_on_is_taken(gateway, monkeypatch):
    monkeypatch.setattr(exchange, "BODY_SILENCE_S", 5.0)

    async def slowly():
        for _ in range(4):
            await asyncio.sleep(0.1)
            yield b"x" * 20_000

    async with gateway.post("/v1/documents", data=slowly()) as answer:
        assert answer.status == 200 and (await answer.json())["got"] == 80_000
