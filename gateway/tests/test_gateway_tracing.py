"""Traces, when they are asked for: one through the gateway and a service, and nothing that a user wrote in it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from aiohttp import web
from flask import Flask, jsonify

from servicekit import wsgi
from servicekit.contract import FlaskClient, TestKeys
from servicekit.health import Readiness
from servicekit.settings import ServiceSettings
from servicekit.tracing import connect

from .conftest import serve_gateway
from .services import RealService

pytest.importorskip("opentelemetry.exporter.otlp.proto.http")
TRACE, ABOVE = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{ABOVE}-01"
SECRET = "my-secret-words"


@dataclass
class Receiver:
    """A small OpenTelemetry collector: keeps every span that is sent to it, with its service."""

    url: str = ""
    bodies: list[bytes] = field(default_factory=list)

    def spans(self) -> list[tuple[str, Any]]:
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

        found = []
        for body in self.bodies:
            for group in ExportTraceServiceRequest.FromString(body).resource_spans:
                (service,) = (
                    a.value.string_value for a in group.resource.attributes if a.key == "service.name"
                )
                found += [(service, span) for scope in group.scope_spans for span in scope.spans]
        return found


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    kept = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/traces"
            kept.bodies.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    kept.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield kept
    server.shutdown()
    server.server_close()


def attributes(span: Any) -> dict[str, Any]:
    return {a.key: a.value.string_value or a.value.int_value for a in span.attributes}


async def test_one_trace_goes_from_the_caller_through_the_gateway_into_the_service(fake, tmp_path, receiver):
    told = {"otel_exporter_otlp_endpoint": receiver.url}
    async with (
        RealService(tmp_path, **told) as service,
        serve_gateway(fake, tmp_path, upstream_chat=(service.url,), **told) as gateway,
    ):
        headers = gateway.auth | {"traceparent": TRACEPARENT, "x-request-id": "req-1"}
        path = f"/v1/personas?q={SECRET}"
        async with gateway.get(path, headers=headers, data=SECRET) as answer:
            assert answer.status == 200
        await asyncio.to_thread(gateway.edge._tracing.flush)
        await asyncio.to_thread(service.edge._tracing.flush)
    spans = {service: span for service, span in receiver.spans() if span.trace_id.hex() == TRACE}
    assert set(spans) == {"gateway", "svc-chat"}
    assert spans["gateway"].parent_span_id.hex() == ABOVE
    assert spans["svc-chat"].parent_span_id == spans["gateway"].span_id
    assert attributes(spans["gateway"]) == {
        "http.request.method": "GET", "http.route": "/v1/personas", "http.response.status_code": 200,
        "oficina.request_id": "req-1",
    }  # fmt: skip
    assert attributes(spans["svc-chat"]) == attributes(spans["gateway"])
    assert spans["gateway"].name == "GET /v1/personas"
    assert not any(SECRET.encode() in body for body in receiver.bodies)


async def test_the_gateways_own_calls_belong_to_the_trace_too(fake, tmp_path, receiver):
    async with (
        serve_gateway(fake, tmp_path, otel_exporter_otlp_endpoint=receiver.url) as gateway,
        gateway.get("/v1/models", headers=gateway.auth | {"traceparent": TRACEPARENT}) as answer,
    ):
        assert answer.status == 200
    sent = [seen.headers["traceparent"] for seen in fake.calls("/v1/models")]
    assert len(sent) == 6 and all(TRACE in one and ABOVE not in one for one in sent)


async def test_a_service_that_fails_is_an_error_in_the_trace(fake, tmp_path, receiver, unused_tcp_port):
    told = {"otel_exporter_otlp_endpoint": receiver.url}
    dead = f"http://127.0.0.1:{unused_tcp_port}"
    async with serve_gateway(fake, tmp_path, upstream_chat=(dead,), **told) as gateway:
        async with gateway.get("/v1/personas") as answer:
            assert answer.status == 503
        await asyncio.to_thread(gateway.edge._tracing.flush)
    ((_, span),) = receiver.spans()
    assert span.status.code == 2 and attributes(span)["http.response.status_code"] == 503


async def test_without_a_collector_a_callers_trace_is_handed_on_as_it_came(gateway):
    async with gateway.get("/v1/personas", headers=gateway.auth | {"traceparent": TRACEPARENT}):
        pass
    (seen,) = gateway.fake.calls("/v1/personas")
    assert seen.headers["traceparent"] == TRACEPARENT
    assert gateway.edge._tracing is None


async def test_a_collector_that_is_away_disturbs_nobody(fake, tmp_path, unused_tcp_port):
    away = f"http://127.0.0.1:{unused_tcp_port}"
    async with serve_gateway(fake, tmp_path, otel_exporter_otlp_endpoint=away) as gateway:
        for _ in range(20):
            async with gateway.get("/v1/personas") as answer:
                assert answer.status == 200


def test_a_flask_service_traces_as_well(tmp_path, receiver):
    settings = ServiceSettings(
        service="svc-tts", data_dir=tmp_path, auth="off", otel_exporter_otlp_endpoint=receiver.url
    )
    app, keys = Flask("tts"), TestKeys()
    wsgi.install(app, settings, readiness=Readiness("svc-tts"), authenticator=keys.authenticator(settings))

    @app.get("/v1/audio/voices/<name>")
    def voice(name: str) -> Any:
        return jsonify(name=name)

    client = FlaskClient(app)
    headers = {"traceparent": TRACEPARENT, "x-request-id": "req-2"}
    assert client.get(f"/v1/audio/voices/{SECRET}", headers=headers).status_code == 200
    app.extensions["oficina"]["tracing"].flush()
    ((service, span),) = receiver.spans()
    assert service == "svc-tts" and span.trace_id.hex() == TRACE and span.parent_span_id.hex() == ABOVE
    assert attributes(span) == {
        "http.request.method": "GET", "http.route": "/v1/audio/voices/<name>",
        "http.response.status_code": 200, "oficina.request_id": "req-2",
    }  # fmt: skip


def test_off_costs_nothing_and_imports_nothing(tmp_path):
    assert connect("svc-x", "") is None
    code = (
        "import sys; from gateway.app import create_app; from gateway.settings import Settings;"
        f"create_app(Settings(data_dir={str(tmp_path)!r}));"
        "sys.exit('opentelemetry.exporter' in sys.modules or 'opentelemetry.sdk.trace.export' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


async def test_a_hostile_traceparent_begins_a_new_trace(fake, tmp_path, receiver):
    async def seen(request: web.Request) -> web.Response:
        return web.json_response({"traceparent": request.headers["traceparent"]})

    fake.routes["/v1/personas"] = seen
    async with serve_gateway(fake, tmp_path, otel_exporter_otlp_endpoint=receiver.url) as gateway:
        for bad in ("00-" + "0" * 32 + "-" + "0" * 16 + "-01", "x" * 5000, "00-zz-zz-01"):
            async with gateway.get("/v1/personas", headers=gateway.auth | {"traceparent": bad}) as answer:
                handed = (await answer.json())["traceparent"]
            assert len(handed) == 55 and handed.startswith("00-") and bad[:35] not in handed
