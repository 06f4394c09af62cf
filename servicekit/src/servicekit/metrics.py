"""Prometheus metrics of one service. Names end in their unit; labels are bounded."""

from __future__ import annotations

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

_LATENCY_BUCKETS_S = (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)


class Metrics:
    """The registry of one app, so that two apps in one process (tests) do not clash."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self, service: str):
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.requests = Counter(
            "http_requests_total",
            "Requests answered",
            ["service", "method", "route", "status"],
            registry=self.registry,
        )
        self.latency = Histogram(
            "http_request_duration_seconds",
            "Time from the first byte of a request to the last of its answer",
            ["service", "route"],
            buckets=_LATENCY_BUCKETS_S,
            registry=self.registry,
        )
        self.in_flight = Gauge(
            "http_requests_in_flight_count", "Requests being answered", ["service"], registry=self.registry
        )
        self._service = service

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one finished request; `route` is the template (`/v1/jobs/{id}`), never a raw path."""
        self.requests.labels(self._service, method, route, str(status)).inc()
        self.latency.labels(self._service, route).observe(seconds)

    def render(self) -> bytes:
        """Return the text that `/metrics` serves."""
        return generate_latest(self.registry)
