"""How many calls may be sent a second time: a share of all calls, so that trouble is not multiplied. Pure."""

from __future__ import annotations


class RetryBudget:
    """Every call saves up `share` of a retry; at most `most` of them are kept.

    So however long a service fails, it gets at most `1 + share` times its calls and `most` more.
    """

    def __init__(self, share: float = 0.1, most: float = 10.0):
        self._share, self._most = share, most
        self._saved = most
        self.spent = 0
        """Retries so far."""

    def earn(self) -> None:
        """Count one call."""
        if self._saved < self._most:
            self._saved = min(self._most, self._saved + self._share)

    def take(self) -> bool:
        """Take one retry; False when none is left."""
        if self._saved < 1.0:
            return False
        self._saved -= 1.0
        self.spent += 1
        return True
