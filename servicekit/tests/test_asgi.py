"""What the ASGI edge adds to an app."""

import json
import logging
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from fastapi.testclient import TestClient
from pydantic import BaseModel

from servicekit.asgi import install
from servicekit.contract import assert_error
from servicekit.errors import TooBusy
from servicekit.health import Readiness
from servicekit.hosts import is_allowed
from servicekit.logs import JsonFormatter
from servicekit.settings import ServiceSettings


class Body(BaseModel):
    size: int | list[str]


@pytest.fixture
def readiness() -> Readiness:
    return Readiness("test")


@pytest.fixture
def client(tmp_path: Path, readiness: Readiness) -> TestClient:
    settings = ServiceSettings(
        data_dir=tmp_path,
        auth="off",
        allowed_hosts=("testserver",),
        max_body_bytes=1000,
        cors_origins=("http://page",),
    )
    app = FastAPI()
    install(app, settings, readiness=readiness)

    @app.post("/echo")
    async def echo(body: Body) -> Body:
        return body

    @app.get("/busy")
    async def busy() -> None:
        raise TooBusy("Three wait already.", retry_after_s=2.2)

    @app.get("/broken")
    async def broken() -> None:
        raise RuntimeError("/etc/secret")

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        async def lines() -> AsyncIterator[bytes]:
            yield b"one\n"
            yield b"two\n"

        return StreamingResponse(lines())

    return TestClient(app, raise_server_exceptions=False)


def test_a_surprise_is_a_500_that_tells_nothing(client: TestClient) -> None:
    answer = client.get("/broken")
    assert answer.status_code == 500
    assert_error(answer, "internal_error")
    assert "secret" not in answer.text


def test_busy_says_when_to_come_back(client: TestClient) -> None:
    answer = client.get("/busy")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "3")


def test_a_chunked_body_over_the_limit_is_refused_while_it_comes(client: TestClient) -> None:
    answer = client.post("/echo", content=(b"x" * 100 for _ in range(50)))
    assert answer.status_code == 413
    assert_error(answer, "payload_too_large")


def test_the_wrong_field_is_named_without_the_types_of_a_union(client: TestClient) -> None:
    assert client.post("/echo", json={"size": "x"}).json()["error"]["param"] == "size"


def test_streams_pass(client: TestClient) -> None:
    assert client.get("/stream").text == "one\ntwo\n"


def test_only_named_origins_may_read(client: TestClient) -> None:
    assert client.get("/busy", headers={"Origin": "http://page"}).headers["access-control-allow-origin"]
    assert "access-control-allow-origin" not in client.get("/busy", headers={"Origin": "http://evil"}).headers


def test_readiness_tells_the_reason(client: TestClient, readiness: Readiness) -> None:
    readiness.set(status="ready", model="m")
    assert client.get("/readyz").status_code == 200
    readiness.add_check("store", lambda: "away")
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["reason"] == "store: away"


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("localhost", True),
        ("localhost:8001", True),
        ("[::1]:80", True),
        ("a.localhost", True),
        ("evil.example", False),
        ("localhost.evil.example", False),
        ("", False),
    ],
)
def test_hosts(host: str, allowed: bool) -> None:
    assert is_allowed(host, ("localhost", "[::1]", "*.localhost")) is allowed


def test_a_log_line_is_json_without_folders() -> None:
    try:
        raise ValueError("/home/ana/secret")
    except ValueError:
        record = logging.getLogger("x").makeRecord(
            "x", 40, "/a/b/mod.py", 1, "failed", (), sys.exc_info(), "work", None
        )
    line = JsonFormatter("svc-x").format(record)
    event = json.loads(line)
    assert {"timestamp", "level", "message", "module", "function"} <= event.keys()
    assert event["error"] == "ValueError"
    assert "/home" not in line


def test_a_path_says_which_methods_it_answers(client: TestClient) -> None:
    answer = client.put("/echo")
    assert answer.status_code == 405
    assert_error(answer)
    assert answer.headers["allow"] == "POST"
    assert answer.json()["error"]["message"] == "/echo does not answer PUT. Use POST."


def test_json_that_is_cut_off_is_refused_where_it_ends(client: TestClient) -> None:
    answer = client.post("/echo", content=b'{"size": ', headers={"content-type": "application/json"})
    assert "Expecting value at character 9" in answer.json()["error"]["message"]
