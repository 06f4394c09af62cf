"""Prefixes of conversations in main memory: what found no room in the key-value memory. Pure; knows no model."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Prefix:
    """Tokens that a model has read, and with which adapter it read them."""

    tokens: NDArray[np.int32]
    adapter: str | None = None


def common_length(first: NDArray[np.int32], second: NDArray[np.int32]) -> int:
    """Return how many tokens two rows have in common from the start."""
    length = min(len(first), len(second))
    different = first[:length] != second[:length]
    place = int(different.argmax()) if length else 0
    return place if length and different[place] else length


class SpillStore:
    """Keeps states by prefix within `max_bytes`; those used longest ago go first."""

    def __init__(self, max_bytes: int):
        self._max_bytes = max_bytes
        self._states: OrderedDict[Prefix, bytes] = OrderedDict()
        self._token_bytes = 0.0
        self.bytes = 0

    def fits(self, tokens: int) -> bool:
        """Tell whether a prefix of so many tokens finds room without another's going; a guess by the last one's size."""
        return self._max_bytes > 0 and self.bytes + tokens * self._token_bytes <= self._max_bytes

    def put(self, prefix: Prefix, save: Callable[[], bytes]) -> bool:
        """Keep what `save` returns, and tell whether it is kept; `save` is not called where nothing may be, and may fail."""
        if self._max_bytes <= 0:
            return False
        try:
            state = save()
        except MemoryError:  # there is less room than the limit promised: what is not kept is read again
            return False
        self._token_bytes = len(state) / max(1, len(prefix.tokens))
        if not state or len(state) > self._max_bytes:
            return False
        for older in [p for p in self._states if self._covers(prefix, p)]:
            self._drop(older)
        self._states[prefix] = state
        self.bytes += len(state)
        while self.bytes > self._max_bytes:
            self._drop(next(iter(self._states)))
        return True

    def best(self, tokens: NDArray[np.int32], adapter: str | None) -> tuple[Prefix | None, int]:
        """Return the prefix that has most of the beginning of `tokens`, and how many tokens that is."""
        best, most = None, 0
        for prefix in self._states:
            if prefix.adapter == adapter:
                length = common_length(prefix.tokens, tokens[:-1])
                if length > most:
                    best, most = prefix, length
        return best, most

    def read(self, prefix: Prefix) -> bytes:
        """Return the state of `prefix` and keep it; it counts as used now."""
        self._states.move_to_end(prefix)
        return self._states[prefix]

    def take(self, prefix: Prefix) -> bytes:
        """Return the state of `prefix` and forget it here."""
        state = self._states[prefix]
        self._drop(prefix)
        return state

    def _drop(self, prefix: Prefix) -> None:
        self.bytes -= len(self._states.pop(prefix))

    @staticmethod
    def _covers(longer: Prefix, shorter: Prefix) -> bool:
        same = longer.adapter == shorter.adapter
        return same and common_length(longer.tokens, shorter.tokens) == len(shorter.tokens)
