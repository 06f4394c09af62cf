"""Absolute addresses: whose word counts for where they begin, and what happens without the gateway."""

from __future__ import annotations

import json
import logging
from dataclasses import replace

import httpx
import pytest

from servicekit import public
from servicekit.auth import LOCAL_OWNER, Identity
from servicekit.media import Links

PATHS = ["/media/img_" + "0" * 32, "/media/img_" + "1" * 32]
ANA = Identity("ana", "ana", "member", frozenset({"*"}), "ofi_x")


def answering(status: int, body: object) -> httpx.MockTransport:
    """Return a gateway that always answers so; with status 0 it is away."""

    def gateway(_: httpx.Request) -> httpx.Response:
        if status == 0:
            raise httpx.ConnectError("away")
        return httpx.Response(status, json=body)

    return httpx.MockTransport(gateway)


@pytest.mark.parametrize(
    ("status", "body"), [(200, {"urls": ["/one"]}), (200, {}), (200, []), (503, {}), (401, {}), (0, {})]
)
async def test_work_that_is_done_is_not_lost_when_the_gateway_signs_nothing(
    status: int, body: object, caplog: pytest.LogCaptureFixture
) -> None:
    public.enter("http", {"host": "127.0.0.1:8003"}, ANA)
    links = Links("http://gateway", answering(status, body))
    with caplog.at_level(logging.WARNING):
        urls = await links.absolute(ANA, PATHS)
    await links.close()
    assert urls == [f"http://127.0.0.1:8003{path}" for path in PATHS]
    assert "media not signed" in caplog.text


@pytest.mark.parametrize(("status", "body"), [(200, {}), (200, []), (503, {}), (401, {}), (0, {})])
async def test_while_nothing_is_delegated_the_token_that_came_signs(
    status: int, body: object, caplog: pytest.LogCaptureFixture
) -> None:
    links = Links("http://gateway", answering(status, body))
    with caplog.at_level(logging.WARNING):
        assert await links.lasting(ANA, 900.0) == ANA
    await links.close()
    assert "signing not delegated" in caplog.text


async def test_what_is_delegated_outlasts_the_work() -> None:
    def gateway(request: httpx.Request) -> httpx.Response:
        assert (request.url.path, request.headers["authorization"]) == ("/auth/delegate", "Bearer ofi_x")
        assert json.loads(request.content)["seconds"] > 900
        return httpx.Response(200, json={"token": "a.b.c", "expires_in": 960})

    links = Links("http://gateway", httpx.MockTransport(gateway))
    assert await links.lasting(ANA, 900.0) == replace(ANA, token="a.b.c")
    await links.close()


async def test_where_nobody_asks_for_credentials_there_is_nothing_to_sign() -> None:
    def gateway(_: httpx.Request) -> httpx.Response:
        raise AssertionError("asked")

    told = {"host": "127.0.0.1:8003", "x-forwarded-host": "localhost:8001", "x-forwarded-proto": "http"}
    public.enter("http", told, LOCAL_OWNER)
    links = Links("http://gateway", httpx.MockTransport(gateway))
    assert await links.lasting(LOCAL_OWNER, 900.0) == LOCAL_OWNER
    assert await links.absolute(LOCAL_OWNER, PATHS[:1]) == [f"http://localhost:8001{PATHS[0]}"]
    await links.close()


@pytest.mark.parametrize(
    ("host", "begins"),
    [
        ("oficina.example", "https://oficina.example"),
        ("[::1]:8001", "https://[::1]:8001"),
        ("evil.example/x", "http://own:1"),
        ("user@evil.example", "http://own:1"),
        ("a b", "http://own:1"),
        ("", "http://own:1"),
    ],
)
def test_a_forwarded_host_is_a_host_or_nothing(host: str, begins: str) -> None:
    through = Identity("ana", "ana", "member", frozenset({"*"}), "a.b.c", admitted=True)
    public.enter("http", {"host": "own:1", "x-forwarded-host": host, "x-forwarded-proto": "https"}, through)
    assert public.origin() == begins
    public.enter("http", {"host": "own:1", "x-forwarded-host": host, "x-forwarded-proto": "https"}, ANA)
    assert public.origin() == "http://own:1"
