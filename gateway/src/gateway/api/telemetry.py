"""What the gateway's `/metrics` tells beside its requests: the services behind it, the cache and the limits.

All of it is read when Prometheus asks, from numbers that the parts keep; a request pays nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gateway.api.cached import CachedProxy
from gateway.api.edge import Edge
from gateway.engine.endpoints import Endpoint
from gateway.engine.upstreams import Upstreams
from gateway.parts import Parts
from servicekit.collectors import Numbers
from servicekit.metrics import Metrics


def tell(metrics: Metrics, parts: Parts, edge: Edge, cached: CachedProxy) -> None:
    """Add to `metrics` what the parts know."""
    metrics.in_flight.set_function(lambda: edge.answering)
    metrics.counts(
        "upstream_failures",
        "Calls that a service did not answer, or not to the end",
        ("upstream", "reason"),
        lambda: {failed: float(calls) for failed, calls in edge.failures.copy().items()},
    )
    metrics.counts(
        "rate_limited_requests",
        "Calls refused because a rate was reached",
        ("kind",),
        lambda: {(kind,): refused for kind, refused in parts.limiter.refused.items()},
    )
    metrics.counts(
        "cache_requests",
        "Calls that may be answered from the cache, by where the answer came from",
        ("result",),
        lambda: {(result,): told for result, told in cached.told.items()},
    )
    _tell_of_urls(metrics, parts.upstreams)
    metrics.gauges(
        "upstream_ready", "1 while a service answers that it is ready", ("upstream",), _ready(parts)
    )
    metrics.gauges(
        "upstream_latency_seconds",
        "How long a service took to say how it is, when last asked",
        ("upstream",),
        lambda: {
            (name,): state.latency_ms / 1000
            for name, state in parts.poller.states.items()
            if state.latency_ms is not None
        },
    )


def _tell_of_urls(metrics: Metrics, upstreams: Upstreams) -> None:
    """Tell of circuits, calls in flight and retries by service."""
    by_service = ("upstream",)

    def each(number: Callable[[Sequence[Endpoint]], float]) -> Numbers:
        return lambda: {(name,): number(many) for name, many in upstreams.endpoints.items()}

    metrics.gauges("upstream_urls", "URLs of a service", by_service, each(len))
    metrics.gauges(
        "upstream_closed_circuits",
        "URLs of a service that calls are sent to",
        by_service,
        each(lambda many: sum(e.state == "closed" for e in many)),
    )
    metrics.gauges(
        "upstream_in_flight_calls",
        "Calls that a service is answering for this gateway",
        by_service,
        each(lambda many: sum(e.in_flight for e in many)),
    )
    metrics.counts(
        "upstream_opened_circuits",
        "Times that a URL was left alone after failures in a row",
        by_service,
        each(lambda many: sum(e.opened for e in many)),
    )
    metrics.counts(
        "upstream_retried_calls",
        "Calls that were sent a second time",
        by_service,
        lambda: {(name,): float(budget.spent) for name, budget in upstreams.budgets.items()},
    )


def _ready(parts: Parts) -> Numbers:
    return lambda: {(name,): float(state.status == "ready") for name, state in parts.poller.states.items()}
