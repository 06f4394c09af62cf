"""Prometheus metrics of one service. Names end in their unit; labels are bounded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from servicekit.collectors import Numbers, Read
from servicekit.health import Readiness
from servicekit.retention import Removed

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""Methods with a label of their own; a caller may write others, without end."""
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
            "http_in_flight_requests", "Requests being answered", ["service"], registry=self.registry
        ).labels(service)
        self._service = service
        self._counted: dict[tuple[str, str, int], Any] = {}
        self._timed: dict[str, Any] = {}

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one finished request; `route` is the template (`/v1/jobs/{id}`), never a raw path."""
        key = (method, route, status)
        counted = self._counted.get(key)
        if counted is None:
            known = method if method in METHODS else "OTHER"
            counted = self.requests.labels(self._service, known, route, str(status))
            if known == method:  # otherwise the callers would say how much is kept
                self._counted[key] = counted
        counted.inc()
        timed = self._timed.get(route)
        if timed is None:
            timed = self._timed[route] = self.latency.labels(self._service, route)
        timed.observe(seconds)

    def counts(self, name: str, documentation: str, labels: tuple[str, ...], numbers: Numbers) -> None:
        """Tell numbers that only grow; `name` ends in their unit, without `_total`."""
        self.registry.register(Read(CounterMetricFamily, name, documentation, self._service, labels, numbers))

    def gauges(self, name: str, documentation: str, labels: tuple[str, ...], numbers: Numbers) -> None:
        """Tell numbers that come and go; `name` ends in their unit."""
        self.registry.register(Read(GaugeMetricFamily, name, documentation, self._service, labels, numbers))

    def watch(self, readiness: Readiness) -> None:
        """Tell whether the service is ready and how long its queue is."""
        self.gauges("service_ready", "1 while /readyz answers 200", (), lambda: {(): float(readiness.ready)})
        self.gauges(
            "queue_requests",
            "Requests and jobs that run and that wait for their turn",
            ("state",),
            lambda: {(state,): float(number) for state, number in readiness.queue().items()},
        )

    def watch_sweeps(self, removed: Callable[[], Mapping[str, Removed]]) -> None:
        """Tell what was removed by age; `removed` gives it by kind since the start."""
        self.counts(
            "swept_items",
            "Things removed by age",
            ("kind",),
            lambda: {(kind,): float(found.items) for kind, found in removed().items()},
        )
        self.counts(
            "swept_bytes",
            "Bytes freed by age",
            ("kind",),
            lambda: {(kind,): float(found.bytes) for kind, found in removed().items()},
        )

    def render(self) -> bytes:
        """Return the text that `/metrics` serves."""
        return generate_latest(self.registry)
