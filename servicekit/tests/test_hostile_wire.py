"""Bytes that are no honest HTTP, at a real port of either framework: refused or dropped, and the next call works."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import httpx
import pytest

from tests.ports import free_port

SERVE = """
import sys
from servicekit.health import Readiness
from servicekit.settings import ServiceSettings
kind, port = sys.argv[1], int(sys.argv[2])
settings = ServiceSettings(auth="off", port=port, max_body_bytes=1_000_000, drain_s=1)
if kind == "fastapi":
    from fastapi import FastAPI, Request
    from servicekit import asgi
    from servicekit.serve import serve
    app = FastAPI()
    asgi.install(app, settings, readiness=Readiness("x"))
    @app.post("/echo")
    async def echo(request: Request) -> dict:
        return {"got": await request.json()}
else:
    from flask import Flask, jsonify
    from servicekit import wsgi
    from servicekit.serve_wsgi import serve
    app = Flask("x")
    wsgi.install(app, settings, readiness=Readiness("x"))
    @app.post("/echo")
    def echo():
        return jsonify(got=wsgi.json_object())
serve(app, settings)
"""
POST = b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
GET = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
ENDLESS = b"ffff\r\n" + b" " * 0xFFFF + b"\r\n"
REQUESTS: dict[str, tuple[bytes, bytes]] = {
    "endless chunks": (POST + b"Transfer-Encoding: chunked\r\n\r\n", ENDLESS),
    "endless headers": (GET, b"X-A: " + b"a" * 1000 + b"\r\n"),
    "an endless line": (b"GET /", b"a" * 10_000),
    "an endless header": (GET + b"X-A: ", b"a" * 10_000),
    "a chunk that is no number": (POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", b""),
    "a huge chunk": (POST + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffffff\r\n", b""),
    "two lengths": (POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n{}", b""),
    "length and chunks": (POST + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b""),
    "a negative length": (POST + b"Content-Length: -1\r\n\r\n", b""),
    "a huge length": (POST + b"Content-Length: " + b"9" * 40 + b"\r\n\r\n", b""),
    "a NUL in a header": (GET + b"X-A: a\x00b\r\n\r\n", b""),
    "a bare line feed": (b"GET /healthz HTTP/1.1\nHost: localhost\nX: \x01\n\n", b""),
    "no host": (b"GET /healthz HTTP/1.1\r\n\r\n", b""),
    "two hosts": (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n", b""),
    "not UTF-8": (b"GET /\xff\xfe HTTP/1.1\r\nHost: localhost\r\n\r\n", b""),
    "another protocol": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 50 + b"\r\n\r\n", b""),
}


@pytest.fixture(scope="module", params=["fastapi", "flask"])
def port(request: pytest.FixtureRequest) -> Iterator[int]:
    """The port of a service in a process of its own, as it runs outside of tests."""
    chosen = free_port()
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE, request.param, str(chosen)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 60
        while not alive(chosen):
            assert time.monotonic() < deadline and process.poll() is None, "the service did not start"
            time.sleep(0.05)
        yield chosen
        assert process.poll() is None, "the service went down"
    finally:
        process.terminate()
        process.wait(60)


def alive(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=60).status_code == 200
    except httpx.HTTPError:
        return False


def said(port: int, first: bytes, then: bytes) -> bytes:
    """Send `first` and `then` again and again; return the first line of the answer, empty if just dropped."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.settimeout(60)
        answer = b""
        try:
            connection.sendall(first)
            for _ in range(200 if then else 0):  # 13 MB at most: thirteen times what is allowed
                connection.sendall(then)
            connection.shutdown(socket.SHUT_WR)
        except (ConnectionError, TimeoutError):
            pass
        try:
            answer = connection.recv(4096)
        except ConnectionError:
            pass
        return answer.split(b"\r\n", 1)[0]


@pytest.mark.parametrize("name", REQUESTS)
def test_what_is_no_honest_request_is_refused_or_dropped(port: int, name: str) -> None:
    line = said(port, *REQUESTS[name])
    assert not line or line.split()[1].startswith(b"4"), line
    assert alive(port)


def test_an_honest_request_is_answered(port: int) -> None:
    got = httpx.post(f"http://127.0.0.1:{port}/echo", json={"a": 1}, timeout=60)
    assert (got.status_code, got.json()) == (200, {"got": {"a": 1}})
