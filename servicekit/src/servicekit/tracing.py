"""Traces for OpenTelemetry, off unless `OTEL_EXPORTER_OTLP_ENDPOINT` names a collector.

A span a request, with method, route, status and request id: no paths, no prompts, nothing that a user wrote. A
caller's `traceparent` is taken up and handed on, so that one trace goes through the gateway and the services. The
SDK is an extra (`servicekit[tracing]`) and is imported only when traces are on; it reads its other `OTEL_*`
variables (headers, sampler, delays) itself.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

import httpx

from servicekit.deadline import onward
from servicekit.logs import log_event, request_id_var
from servicekit.metrics import METHODS

TRACE_HEADERS = ("traceparent", "tracestate")
"""W3C Trace Context."""
_NOTHING: Mapping[str, str] = {}
trace_var: ContextVar[Mapping[str, str]] = ContextVar("trace", default=_NOTHING)
"""The headers that hand on the span of the request that this task or thread is working for."""
log = logging.getLogger(__name__)


class Tracing:
    """Makes spans and sends them to the collector at `endpoint`, in the background and in batches."""

    def __init__(self, service: str, endpoint: str):
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import SERVICE_NAME, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        exporter = OTLPSpanExporter(endpoint=endpoint.rstrip("/") + "/v1/traces")
        self._provider = TracerProvider(resource=Resource.create({SERVICE_NAME: service}))
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("oficina")
        self._format = TraceContextTextMapPropagator()

    def begin(self, method: str, traceparent: str = "", tracestate: str = "") -> Any:
        """Start the span of a request, below the caller's if he sent one."""
        from opentelemetry.context import Context
        from opentelemetry.trace import SpanKind

        sent = {"traceparent": traceparent, "tracestate": tracestate}
        above = self._format.extract(sent, Context()) if traceparent else Context()
        known = method if method in METHODS else "_OTHER"
        told = {"http.request.method": known}
        return self._tracer.start_span(known, context=above, kind=SpanKind.SERVER, attributes=told)

    def headers(self, span: Any) -> dict[str, str]:
        """Return the headers that hand `span` on."""
        from opentelemetry.context import Context
        from opentelemetry.trace import set_span_in_context

        handed: dict[str, str] = {}
        self._format.inject(handed, set_span_in_context(span, Context()))
        return handed

    def end(self, span: Any, *, route: str, status: int, request_id: str) -> None:
        """End a request's span; `route` is the template, never a raw path."""
        from opentelemetry.trace import StatusCode

        span.update_name(
            f"{span.attributes['http.request.method']} {route}" if span.is_recording() else route
        )
        span.set_attributes(
            {"http.route": route, "http.response.status_code": status, "oficina.request_id": request_id}
        )
        if status >= 500:
            span.set_status(StatusCode.ERROR)
        span.end()

    def flush(self) -> None:
        """Send what is waiting; blocks."""
        self._provider.force_flush()


def connect(service: str, endpoint: str) -> Tracing | None:
    """Return what makes spans, or None when traces are off or the SDK is not installed (which is logged)."""
    if not endpoint:
        return None
    try:
        return Tracing(service, endpoint)
    except ImportError:
        remedy = "install opentelemetry-sdk and opentelemetry-exporter-otlp-proto-http"
        log_event(log, "no traces", level=logging.WARNING, reason="the SDK is not installed", remedy=remedy)
        return None


def passed_on() -> dict[str, str]:
    """Return the headers by which a call to another service belongs to the request at hand.

    They are its id, its trace, and what is left of its deadline.
    """
    request_id = request_id_var.get()
    return {**({"x-request-id": request_id} if request_id else {}), **trace_var.get(), **onward()}


async def pass_on(request: httpx.Request) -> None:
    """Hand the request at hand on: a hook for the httpx clients that speak to other services."""
    request.headers.update(passed_on())
