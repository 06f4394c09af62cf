"""What `/metrics` tells of the services' URLs; read when it is asked for, so that calls pay nothing."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway.engine.upstreams import Upstreams


class UpstreamMetrics(Collector):
    """Circuits, calls in flight and retries by service."""

    def __init__(self, upstreams: Upstreams):
        self._upstreams = upstreams

    def collect(self) -> Iterable[Metric]:
        """Return the metrics as they are now."""
        labels = ["upstream"]
        urls = GaugeMetricFamily("upstream_urls", "URLs of a service", labels=labels)
        closed = GaugeMetricFamily("upstream_closed_circuits", "URLs that calls are sent to", labels=labels)
        flying = GaugeMetricFamily("upstream_in_flight_calls", "Calls being answered", labels=labels)
        opened = CounterMetricFamily("upstream_opened_circuits", "Circuits that opened", labels=labels)
        retried = CounterMetricFamily("upstream_retried_calls", "Calls sent a second time", labels=labels)
        for name, endpoints in self._upstreams.endpoints.items():
            urls.add_metric([name], len(endpoints))
            closed.add_metric([name], sum(e.state == "closed" for e in endpoints))
            flying.add_metric([name], sum(e.in_flight for e in endpoints))
            opened.add_metric([name], sum(e.opened for e in endpoints))
            retried.add_metric([name], self._upstreams.budgets[name].spent)
        return urls, closed, flying, opened, retried
