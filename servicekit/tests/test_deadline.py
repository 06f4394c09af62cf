"""A service stops working when its caller stops waiting."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from flask import Flask

from servicekit import asgi, wsgi
from servicekit.deadline import HEADER, Deadline, current, detached, of
from servicekit.errors import BadRequest, DeadlineExceeded
from servicekit.health import Readiness
from servicekit.settings import ServiceSettings
from servicekit.tracing import passed_on

PATIENCE = ("0.2", "2", "20")
"""Deadlines that pass sooner or later; the first may pass before the work has begun, on a machine that is busy."""


@pytest.fixture
def settings(tmp_path: Path) -> ServiceSettings:
    return ServiceSettings(service="svc-test", auth="off", data_dir=tmp_path)


@pytest.fixture
async def client(settings: ServiceSettings) -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    asgi.install(app, settings, readiness=Readiness("svc-test"))
    app.state.ended = []

    @app.get("/slow")
    async def slow() -> dict[str, str]:
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            app.state.ended.append("slow")
            raise
        return {}

    @app.get("/own")
    async def own() -> dict[str, bool]:
        until = current()
        assert until is not None
        until.grant(30)
        await asyncio.sleep(until.left_s + 0.05)
        return {"ended_by_itself": True}

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        async def parts() -> AsyncIterator[bytes]:
            while True:
                yield b"x"
                await asyncio.sleep(0.01)

        return StreamingResponse(parts())

    @app.get("/left")
    async def left() -> dict[str, str]:
        return {name: value for name, value in passed_on().items() if name == HEADER}

    @app.get("/detached")
    async def without() -> dict[str, str]:
        return await asyncio.create_task(left(), context=detached())

    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as made:
        made.app = app  # type: ignore[attr-defined]
        yield made


async def test_work_is_cancelled_when_the_deadline_passes(client: httpx.AsyncClient) -> None:
    for seconds in PATIENCE:
        answer = await client.get("/slow", headers={HEADER: seconds})
        assert answer.status_code == 504 and answer.json()["error"]["code"] == "deadline_exceeded"
        if client.app.state.ended:  # type: ignore[attr-defined]
            break
    assert client.app.state.ended == ["slow"]  # type: ignore[attr-defined]


async def test_work_that_ends_by_itself_is_let_do_so(client: httpx.AsyncClient) -> None:
    for seconds in PATIENCE:
        answer = await client.get("/own", headers={HEADER: seconds})
        if answer.status_code == 200:
            break
    assert answer.json() == {"ended_by_itself": True}


async def test_a_stream_is_cut_off_when_the_deadline_passes(client: httpx.AsyncClient) -> None:
    for seconds in PATIENCE:
        sent = await cut_off(client, seconds)
        if sent[0]["status"] == 200:
            break
    assert sent[0]["status"] == 200 and sent[-1]["more_body"]  # unfinished: the server closes the connection


async def cut_off(client: httpx.AsyncClient, seconds: str) -> list[dict]:
    sent: list[dict] = []

    async def receive() -> dict:
        if sent:
            await asyncio.Event().wait()
        return {"type": "http.request"}

    async def send(message: dict) -> None:
        sent.append(message)

    headers = [(b"host", b"localhost"), (HEADER.encode(), seconds.encode())]
    scope = {
        "type": "http", "method": "GET", "path": "/stream", "query_string": b"", "headers": headers,
        "http_version": "1.1", "client": ("127.0.0.1", 1), "asgi": {"version": "3.0", "spec_version": "2.4"},
    }  # fmt: skip
    async with asyncio.timeout(60):
        await client.app(scope, receive, send)  # type: ignore[attr-defined]
    return sent


async def test_a_neighbour_is_told_a_little_less_and_without_a_deadline_nothing(
    client: httpx.AsyncClient,
) -> None:
    told = (await client.get("/left", headers={HEADER: "600"})).json()
    assert 300 < float(told[HEADER]) < 600
    assert (await client.get("/left")).json() == {}
    assert (await client.get("/detached", headers={HEADER: "20"})).json() == {}


@pytest.mark.parametrize("wrong", ["soon", "0", "-1", "nan", "inf", "3601"])
async def test_a_header_that_is_no_deadline_is_a_400(client: httpx.AsyncClient, wrong: str) -> None:
    answer = await client.get("/left", headers={HEADER: wrong})
    assert answer.status_code == 400 and answer.json()["error"]["param"] == HEADER
    with pytest.raises(BadRequest):
        of(wrong)


def test_flask_services_look_at_it_between_two_steps(settings: ServiceSettings) -> None:
    app = Flask(__name__)
    wsgi.install(app, settings, readiness=Readiness("svc-test"))

    @app.get("/steps")
    def steps() -> dict[str, int]:
        until, done = current(), 0
        for _ in range(100):
            if until is not None:
                until.check()
            time.sleep(0.01)
            done += 1
        return {"done": done}

    client = app.test_client()
    late = client.get("/steps", headers={HEADER: "0.1"})
    assert late.status_code == 504 and late.get_json()["error"]["code"] == "deadline_exceeded"
    assert client.get("/steps").get_json() == {"done": 100}
    assert client.get("/steps", headers={HEADER: "x"}).status_code == 400


def test_what_is_left_never_goes_below_nothing() -> None:
    passed = Deadline(0.001)
    time.sleep(0.002)
    assert passed.left_s == 0 and passed.onward_s > 0
    with pytest.raises(DeadlineExceeded):
        passed.check()
