"""What the gateway's `/metrics` tells beside its requests: the services behind it, the cache and the limits.

All of it is read when Prometheus asks, from numbers that the parts keep; a request pays nothing.
"""

from __future__ import annotations

from gateway.api.cached import CachedProxy
from gateway.api.edge import Edge
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


def _ready(parts: Parts) -> Numbers:
    return lambda: {(name,): float(state.status == "ready") for name, state in parts.poller.states.items()}
