"""Metrics that are read when somebody asks for them, from numbers that are kept anyway: they cost a request nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from servicekit.logs import log_event

Numbers = Callable[[], Mapping[tuple[str, ...], float]]
"""Returns the numbers by the values of their labels; called in a thread of whoever asks."""
log = logging.getLogger(__name__)


class Read(Collector):
    """One family of counters or gauges; the label `service` comes first."""

    def __init__(
        self,
        family: type[CounterMetricFamily] | type[GaugeMetricFamily],
        name: str,
        documentation: str,
        service: str,
        labels: tuple[str, ...],
        numbers: Numbers,
    ):
        self._family, self._name, self._documentation = family, name, documentation
        self._service, self._labels, self._numbers = service, ("service", *labels), numbers

    def describe(self) -> Iterable[Metric]:
        """Name the family without reading its numbers."""
        return [self._family(self._name, self._documentation, labels=self._labels)]

    def collect(self) -> Iterable[Metric]:
        """Read the numbers; a family that cannot be read now stays empty, the others are told all the same."""
        family = self._family(self._name, self._documentation, labels=self._labels)
        try:
            for values, number in self._numbers().items():
                family.add_metric((self._service, *values), number)
        except Exception as error:
            reason = type(error).__name__
            log_event(log, "metric not read", level=logging.WARNING, metric=self._name, reason=reason)
        return [family]
