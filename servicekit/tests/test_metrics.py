"""Metrics have bounded labels whatever callers write, and tell queues and readiness when they are asked."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from flask import Flask, Response
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from servicekit import wsgi
from servicekit.asgi import install
from servicekit.contract import TestKeys
from servicekit.health import Readiness
from servicekit.metrics import METHODS, Metrics
from servicekit.settings import ServiceSettings


def series(text: str, name: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith((name + "{", name + " "))]


@given(st.lists(st.text(min_size=1, max_size=20), max_size=30))
def test_odd_methods_share_one_label(methods: list[str]) -> None:
    metrics = Metrics("svc-x")
    for method in methods:
        metrics.observe(method, "/v1/x", 405, 0.1)
    found = series(metrics.render().decode(), "http_requests_total")
    assert len(found) <= len(METHODS) + 1
    assert len(metrics._counted) <= len(METHODS)


def test_a_thousand_paths_and_methods_make_no_new_series(tmp_path: Path) -> None:
    client, readiness = service(tmp_path)
    for number in range(200):
        client.get(f"/v1/things/{number}")
        client.get(f"/nowhere/{number}")
        client.request(f"ODD{number}", "/v1/things/1")
    text = client.get("/metrics").text
    assert len(series(text, "http_requests_total")) <= 6
    assert 'route="/v1/things/{name}"' in text and 'route="unmatched"' in text and 'method="OTHER"' in text


def test_queue_and_readiness_are_read_when_asked(tmp_path: Path) -> None:
    client, readiness = service(tmp_path)
    queue = {"running": 0, "waiting": 0}
    readiness.watch_queue(lambda: queue)
    readiness.set(status="ready")
    queue |= {"running": 2, "waiting": 5}
    text = client.get("/metrics").text
    assert series(text, "service_ready") == ['service_ready{service="svc-x"} 1.0']
    assert set(series(text, "queue_requests")) == {
        'queue_requests{service="svc-x",state="running"} 2.0',
        'queue_requests{service="svc-x",state="waiting"} 5.0',
    }
    readiness.drain(1)
    assert series(client.get("/metrics").text, "service_ready") == ['service_ready{service="svc-x"} 0.0']


def test_a_number_that_cannot_be_read_takes_no_other_away(tmp_path: Path) -> None:
    client, readiness = service(tmp_path)

    def broken() -> dict[str, int]:
        raise OSError("the database is away")

    readiness.watch_queue(broken)
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert series(answer.text, "queue_requests") == [] and "process_open_fds" in answer.text


def test_requests_in_flight_are_those_not_yet_answered_to_the_end(tmp_path: Path) -> None:
    app, settings = FastAPI(), ServiceSettings(service="svc-x", data_dir=tmp_path, auth="off")
    install(app, settings, readiness=Readiness("svc-x"), authenticator=TestKeys().authenticator(settings))
    told: list[str] = []

    @app.get("/v1/stream")
    async def stream() -> StreamingResponse:
        async def pieces():  # type: ignore[no-untyped-def]
            told.append(app.state.metrics.render().decode())
            yield b"x"

        return StreamingResponse(pieces())

    client = TestClient(app, base_url="http://localhost")
    client.get("/v1/stream")
    assert series(told[0], "http_in_flight_requests") == ['http_in_flight_requests{service="svc-x"} 1.0']
    after = series(client.get("/metrics").text, "http_in_flight_requests")
    assert after == ['http_in_flight_requests{service="svc-x"} 1.0']  # the one that asks


def test_a_streamed_answer_of_flask_is_counted_when_it_has_ended(tmp_path: Path) -> None:
    settings, app = ServiceSettings(service="svc-tts", data_dir=tmp_path, auth="off"), Flask("tts")
    wsgi.install(
        app, settings, readiness=Readiness("svc-tts"), authenticator=TestKeys().authenticator(settings)
    )
    metrics: Metrics = app.extensions["oficina"]["metrics"]

    @app.get("/v1/stream")
    def stream() -> Response:
        return Response(iter([b"a", b"b"]), content_type="audio/wav")

    answer = app.test_client().get("/v1/stream", buffered=False)
    text = metrics.render().decode()
    assert series(text, "http_in_flight_requests") == ['http_in_flight_requests{service="svc-tts"} 1.0']
    assert series(text, "http_requests_total") == []
    assert answer.data == b"ab"
    answer.close()
    text = metrics.render().decode()
    assert series(text, "http_in_flight_requests") == ['http_in_flight_requests{service="svc-tts"} 0.0']
    (counted,) = series(text, "http_requests_total")
    assert 'route="/v1/stream"' in counted and counted.endswith(" 1.0")


def service(folder: Path) -> tuple[TestClient, Readiness]:
    app, readiness = FastAPI(), Readiness("svc-x")
    settings = ServiceSettings(service="svc-x", data_dir=folder, auth="off")
    install(app, settings, readiness=readiness, authenticator=TestKeys().authenticator(settings))

    @app.get("/v1/things/{name}")
    async def thing(name: str) -> dict[str, str]:
        return {"name": name}

    return TestClient(app, base_url="http://localhost"), readiness
