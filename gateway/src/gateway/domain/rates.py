"""Counts calls over a sliding minute. Pure: the clock is an argument.

The estimate of a sliding window from two fixed ones (the method of nginx-like limiters): the last
window's count weighs as much as it still overlaps. Costs two integers a key.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from limits import parse

_MAX_KEYS = 50_000
_MARGIN_S = 0.001
"""Added to a wait that is told, so that rounding makes nobody come too early."""


@dataclass(frozen=True, slots=True)
class Rate:
    """`count` calls in `window_s` seconds."""

    count: int
    window_s: int

    @classmethod
    def of(cls, text: str) -> Rate:
        """Read `600/minute`, `10 per 30 seconds` … as the `limits` package writes rates."""
        item = parse(text)
        return cls(item.amount, item.get_expiry())


@dataclass(slots=True)
class _Count:
    window: int
    here: int = 0
    before: int = 0
    elsewhere: int = 0
    unsent: int = 0


class Rates:
    """Counters of one rate by key; counts seen by other processes are mixed in by `reconcile`."""

    def __init__(self, rate: Rate):
        self.rate = rate
        self._counts: OrderedDict[str, _Count] = OrderedDict()
        self._due: dict[str, None] = {}

    def take(self, key: str, now: float) -> float | None:
        """Count one call; return None, or the seconds to wait when the rate is reached (not counted)."""
        rate = self.rate
        count = self._at(key, int(now // rate.window_s))
        left_s = rate.window_s - now % rate.window_s
        used = count.before * (left_s / rate.window_s) + count.here + count.elsewhere
        if used + 1 > rate.count:
            return self._wait_s(count, left_s) + _MARGIN_S
        count.here += 1
        count.unsent += 1
        self._due[key] = None
        return None

    def _wait_s(self, count: _Count, left_s: float) -> float:
        """Return the seconds until one more fits, if nobody else takes it.

        What was used weighs less and less as its window slides out: in this one, or only in the next.
        """
        room, window_s, used = self.rate.count - 1, self.rate.window_s, count.here + count.elsewhere
        if used <= room:
            return left_s - (room - used) * window_s / count.before
        return left_s + window_s * (1 - room / used)

    def give_back(self, key: str, now: float) -> None:
        """Take back one call of this window, unless other processes were told of it already."""
        count = self._counts.get(key)
        if count is not None and count.window == int(now // self.rate.window_s) and count.unsent:
            count.here -= 1
            count.unsent -= 1

    def _at(self, key: str, window: int) -> _Count:
        count = self._counts.get(key)
        if count is None:
            count = self._counts[key] = _Count(window)
            if len(self._counts) > _MAX_KEYS:
                self._counts.popitem(last=False)
        elif count.window != window:
            last = count.here + count.elsewhere if count.window == window - 1 else 0
            count.window, count.before, count.here, count.elsewhere, count.unsent = window, last, 0, 0, 0
        return count

    def unsent(self, now: float, most: int = 200) -> list[tuple[str, int, int]]:
        """Return (key, window, calls) not yet told to the shared counter, and take them as told."""
        window, told = int(now // self.rate.window_s), []
        for key in list(self._due)[:most]:
            del self._due[key]
            count = self._counts.get(key)
            if count is not None and count.window == window and count.unsent:
                told.append((key, window, count.unsent))
                count.unsent = 0
        return told

    def reconcile(self, key: str, window: int, total: int) -> None:
        """Take in the shared total of `key`: what is not ours was counted elsewhere."""
        count = self._counts.get(key)
        if count is not None and count.window == window:
            count.elsewhere = max(0, total - (count.here - count.unsent))
