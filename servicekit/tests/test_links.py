"""Absolute addresses: whose word counts for where they begin, and what happens without the gateway."""

from __future__ import annotations

import logging

import httpx
import pytest

from servicekit import public
from servicekit.auth import LOCAL_OWNER, Identity
from servicekit.media import Links

PATHS = ["/media/img_" + "0" * 32, "/media/img_" + "1" * 32]
ANA = Identity("ana", "ana", "member", frozenset({"*"}), "ofi_x")


@pytest.mark.parametrize(
    ("status", "body"), [(200, {"urls": ["/one"]}), (200, {}), (200, []), (503, {}), (401, {}), (0, {})]
)
async def test_work_that_is_done_is_not_lost_when_the_gateway_signs_nothing(
    status: int, body: object, caplog: pytest.LogCaptureFixture
) -> None:
    def gateway(_: httpx.Request) -> httpx.Response:
        if status == 0:
            raise httpx.ConnectError("away")
        return httpx.Response(status, json=body)

    public.enter("http", {"host": "127.0.0.1:8003"}, ANA)
    links = Links("http://gateway", httpx.MockTransport(gateway))
    with caplog.at_level(logging.WARNING):
        urls = await links.absolute(ANA, PATHS)
    await links.close()
    assert urls == [f"http://127.0.0.1:8003{path}" for path in PATHS]
    assert "media not signed" in caplog.text


async def test_where_nobody_asks_for_credentials_there_is_nothing_to_sign() -> None:
    def gateway(_: httpx.Request) -> httpx.Response:
        raise AssertionError("asked")

    told = {"host": "127.0.0.1:8003", "x-forwarded-host": "localhost:8001", "x-forwarded-proto": "http"}
    public.enter("http", told, LOCAL_OWNER)
    links = Links("http://gateway", httpx.MockTransport(gateway))
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
