"""Requests that no honest client sends: a clear 4xx, never a 5xx, never a hang."""

from __future__ import annotations

import asyncio
import json

import pytest

from .conftest import KEY

AUTH = f"Authorization: Bearer {KEY}\r\n".encode()
HOST = b"Host: localhost\r\n"
JSON = b"Content-Type: application/json\r\n"


async def raw(gateway, content: bytes) -> int:
    """Send bytes as they are; return the status, or 0 when the connection was just closed."""
    host, port = gateway.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(content)
    try:
        line = await asyncio.wait_for(reader.readline(), 60)
    except ConnectionError:  # closed before it had read everything, and the answer went with it
        return 0
    finally:
        writer.close()
    return int(line.split()[1]) if line else 0


def post(path: bytes, body: bytes, *more: bytes) -> bytes:
    length = f"Content-Length: {len(body)}\r\n".encode()
    return b"POST " + path + b" HTTP/1.1\r\n" + HOST + AUTH + length + b"".join(more) + b"\r\n" + body


REQUESTS = {
    "no host": b"GET /api/status HTTP/1.1\r\n" + AUTH + b"\r\n",
    "two hosts": b"GET /healthz HTTP/1.1\r\n" + HOST + b"Host: evil.example\r\n\r\n",
    "http 1.0": b"GET /healthz HTTP/1.0\r\n\r\n",
    "absolute target": b"GET http://evil.example/v1/models HTTP/1.1\r\nHost: evil.example\r\n" + AUTH + b"\r\n",
    "two lengths": b"POST /chat HTTP/1.1\r\n" + HOST + AUTH + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
    "smuggling": b"POST /chat HTTP/1.1\r\n" + HOST + AUTH + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "negative length": b"POST /chat HTTP/1.1\r\n" + HOST + AUTH + b"Content-Length: -1\r\n\r\n",
    "odd digits": b"POST /chat HTTP/1.1\r\n" + HOST + AUTH + b"Content-Length: \xb2\r\n\r\n",
    "endless number": b"POST /chat HTTP/1.1\r\n" + HOST + AUTH + b"Content-Length: " + b"9" * 30 + b"\r\n\r\n",
    "bad chunk": b"POST /v1/files HTTP/1.1\r\n" + HOST + AUTH + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    "control byte": b"GET /v1/models HTTP/1.1\r\n" + HOST + AUTH + b"X-A: a\x01b\r\n\r\n",
    "long path": b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n",
    "dots": b"GET /v1/chat/%2e%2e/images HTTP/1.1\r\n" + HOST + AUTH + b"\r\n",
    "encoded slash": b"GET /media%2fimg_1 HTTP/1.1\r\n" + HOST + AUTH + b"\r\n",
    "bad percent": b"GET /v1/models/%zz%ff HTTP/1.1\r\n" + HOST + AUTH + b"\r\n",
    "nul": b"GET /v1/models/a%00b HTTP/1.1\r\n" + HOST + AUTH + b"\r\n",
    "odd method": b"BREW / HTTP/1.1\r\n" + HOST + AUTH + b"\r\n",
    "surrogates": post(b"/auth/keys", b'{"name":"\\ud800"}', JSON),
    "surrogate scope": post(b"/auth/keys", b'{"scopes":["\\ud800"]}', JSON),
    "surrogate token": post(b"/auth/introspect", b'{"token":"\\ud800.\\ud800.x"}', JSON),
    "surrogate login": post(b"/auth/login", b'{"username":"\\ud800","password":"\\ud800"}', JSON),
    "not utf-8": post(b"/auth/login", b'{"username":"\xff"}', JSON),
    "deep": post(b"/auth/keys", b"[" * 50_000, JSON),
    "deep object": post(b"/v1/pipelines/describe", b'{"a":' * 50_000, JSON),
    "nan": post(b"/auth/keys", b'{"expires_in_s":NaN}', JSON),
    "huge number": post(b"/auth/keys", b'{"expires_in_s":1' + b"0" * 5000 + b"}", JSON),
    "infinite": post(b"/auth/keys", b'{"expires_in_s":1e999}', JSON),
    "no boundary": post(b"/v1/pipelines/describe", b"x", b"Content-Type: multipart/form-data\r\n"),
    "bad multipart": post(b"/auth/login", b"--x\r\nnonsense", b"Content-Type: multipart/form-data; boundary=x\r\n"),
    "many fields": post(b"/auth/login", b"&".join(b"a%d=1" % n for n in range(5000)),
                        b"Content-Type: application/x-www-form-urlencoded\r\n"),
    "odd charset": post(b"/auth/login", b"{}", b"Content-Type: application/json; charset=\xe9\r\n"),
    "sql": post(b"/auth/login", json.dumps({"username": "' OR 1=1 --", "password": "x"}).encode(), JSON),
    "nul name": post(b"/auth/users", b'{"username":"a\\u0000b","password":"long enough 123"}', JSON),
    "job id": b"GET /v1/jobs/job_rag_%0d%0aX HTTP/1.1\r\n" + HOST + AUTH + b"\r\n",
}  # fmt: skip


@pytest.mark.parametrize("name", REQUESTS)
async def test_hostile_requests_are_refused(gateway, name):
    status = await raw(gateway, REQUESTS[name])
    assert status == 0 or 400 <= status < 500, status
    async with gateway.client.get(gateway.url + "/healthz") as answer:
        assert answer.status == 200


async def test_odd_header_bytes_reach_the_service_or_are_refused(gateway):
    for value in (b"\xe9\xff", b"\t tab", b"a" * 8000):
        status = await raw(gateway, post(b"/v1/chat/completions", b"{}", JSON, b"X-Odd: " + value + b"\r\n"))
        assert status in (0, 200, 400, 431), value
