"""How long the caller waits: `x-request-timeout` in seconds, the same on every port.

The gateway passes on what is left of it. A service cancels its work when it passes (asgi.py), or looks at it between
two steps where work cannot be cancelled (`current().check()`), and tells its neighbours (`onward`).
"""

from __future__ import annotations

import asyncio
import time
from contextvars import Context, ContextVar, copy_context

from servicekit.errors import BadRequest, DeadlineExceeded

HEADER = "x-request-timeout"
MAX_S = 3600.0
_MARGIN, _MARGIN_MAX_S = 0.1, 1.0
_now: ContextVar[Deadline | None] = ContextVar("deadline", default=None)


class Deadline:
    """The moment at which the caller of this request stops waiting."""

    def __init__(self, seconds: float):
        self.seconds = seconds
        self.at = time.monotonic() + seconds
        self.limit: asyncio.Timeout | None = None
        """What cancels the request's task, where something does."""

    @property
    def left_s(self) -> float:
        """Seconds that are left; 0 when it has passed."""
        return max(0.0, self.at - time.monotonic())

    @property
    def onward_s(self) -> float:
        """Seconds for whoever is asked next: a tenth less, at most a second, so that the answer is back in time."""
        return max(0.001, self.left_s - min(self.left_s * _MARGIN, _MARGIN_MAX_S))

    def error(self) -> DeadlineExceeded:
        """Return what the caller is told when it has passed."""
        return DeadlineExceeded(
            f"The answer was not ready within the {self.seconds:g} s that {HEADER} allows. Allow more, or ask for less."
        )

    def check(self) -> None:
        """Raise DeadlineExceeded if it has passed."""
        if time.monotonic() >= self.at:
            raise self.error()

    def grant(self, seconds: float) -> None:
        """Let work that ends by itself at the deadline do so: it is cancelled only `seconds` later."""
        if self.limit is not None and (when := self.limit.when()) is not None:
            self.limit.reschedule(when + seconds)


def of(header: str | None) -> Deadline | None:
    """Return the deadline that a request's header sets; None when there is none.

    Raises:
        BadRequest: it is not a number of seconds, or not one that is waited for.
    """
    if not header:
        return None
    try:
        seconds = float(header)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds <= MAX_S:
        raise BadRequest(
            f"The header {HEADER} is '{header[:20]}'; it must be seconds, more than 0 and at most {MAX_S:g}.",
            param=HEADER,
        )
    return Deadline(seconds)


def current() -> Deadline | None:
    """Return the deadline of the request that this code runs for."""
    return _now.get()


def enter(deadline: Deadline | None) -> None:
    """Make `deadline` the one of the request that is being answered in this context."""
    _now.set(deadline)


def detached() -> Context:
    """Return a context for work that goes on when its caller no longer waits."""
    context = copy_context()
    context.run(_now.set, None)
    return context


def onward() -> dict[str, str]:
    """Return the header for a call to a neighbour on behalf of this request."""
    deadline = _now.get()
    return {HEADER: f"{deadline.onward_s:.3f}"} if deadline else {}
