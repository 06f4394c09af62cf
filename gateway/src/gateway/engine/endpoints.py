"""One URL of a service: whether it is worth asking, and how many calls it is answering.

The circuit is the `circuitbreaker` package's (docs/decisions/circuits.md). Its decorator is not used: how a call went
is known at its headers and not at its end, may say nothing of the service (the client left), and the poller tells
as well. Owns the rule that a circuit half open lets one call through at a time.
"""

from __future__ import annotations

import logging
import time
from contextlib import suppress

from circuitbreaker import STATE_CLOSED, STATE_HALF_OPEN, CircuitBreaker

from servicekit.logs import log_event

_PROBE_S = 10.0
"""Seconds after which a call that tries a half-open circuit and has no outcome yet no longer keeps others out."""
log = logging.getLogger(__name__)


class _Failed(Exception):
    """What the breaker counts."""


class Endpoint:
    """A URL and its circuit. For one event loop.

    Args:
        name: what logs call it, such as `svc-chat#1`: never its address.
        failures: failures in a row that open the circuit.
        open_s: seconds that it then stays open.
    """

    def __init__(self, url: str, name: str, *, failures: int = 5, open_s: float = 2.0):
        self.url, self.name = url, name
        self.in_flight = 0
        self.ready = True
        """Whether it last said so itself."""
        self.heard_at = time.monotonic()
        """When it last answered anything."""
        self.opened = 0
        """How often its circuit has opened."""
        self._failures = failures
        self._breaker = CircuitBreaker(failures, open_s, _Failed, name=name)
        self._unreachable = False
        self._probe_until = 0.0

    @property
    def state(self) -> str:
        """`closed`, `open` or `half_open`."""
        return str(self._breaker.state)

    @property
    def troubled(self) -> bool:
        """Whether another URL should rather be asked."""
        return not self.ready or self._breaker.failure_count > 0

    @property
    def retry_after_s(self) -> float:
        """Seconds until it may be asked again."""
        return max(1.0, float(self._breaker.open_remaining))

    def admits(self) -> bool:
        """Tell whether a call may be sent now."""
        state = self._breaker.state
        if state == STATE_CLOSED:
            return True
        return state == STATE_HALF_OPEN and time.monotonic() >= self._probe_until

    def begin(self) -> None:
        """Count a call that is being sent; every one ends with `end`."""
        self.in_flight += 1
        if self._breaker.failure_count and self._breaker.state == STATE_HALF_OPEN:
            self._probe_until = time.monotonic() + _PROBE_S

    def end(self) -> None:
        """Count a call as over, however it went."""
        self.in_flight -= 1

    def succeeded(self) -> None:
        """Take in that it answered a call as it should."""
        self.heard_at = time.monotonic()
        if self._breaker.failure_count:
            self._close()

    def failed(self, *, unreachable: bool) -> None:
        """Take in that it could not be reached, or that it answered what only a broken service answers."""
        was = self._breaker.state
        self._unreachable, self._probe_until = unreachable, 0.0
        self.ready = self.ready and not unreachable
        with suppress(_Failed), self._breaker:
            raise _Failed
        if was == STATE_CLOSED and self._breaker.state != STATE_CLOSED:
            self.opened += 1
            why = "unreachable" if unreachable else "failing"
            log_event(log, "circuit opened", level=logging.WARNING, upstream=self.name, reason=why)

    def undecided(self) -> None:
        """Take in that a call ended without telling anything: its client left."""
        self._probe_until = 0.0

    def heard(self, *, ready: bool) -> None:
        """Take in what `/readyz` said. It mends what was unreachable, and says nothing of failing calls."""
        self.ready, self.heard_at = ready, time.monotonic()
        if self._unreachable and self._breaker.failure_count:
            self._close()

    def silent(self, after_s: float) -> None:
        """Take in that it did not answer in time; it counts as unreachable when it has not for `after_s`."""
        if time.monotonic() - self.heard_at > after_s and self._breaker.state == STATE_CLOSED:
            for _ in range(self._failures):
                self.failed(unreachable=True)

    def _close(self) -> None:
        if self._breaker.state != STATE_CLOSED:
            log_event(log, "circuit closed", upstream=self.name)
        self._breaker.reset()
        self._probe_until = 0.0
