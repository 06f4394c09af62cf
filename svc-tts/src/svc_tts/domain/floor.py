"""Who may speak: one at a time, and nobody by not coming back for more. Knows nothing of what is said."""

from __future__ import annotations

import threading
import time


class Floor:
    """Taken for each clause; kept between two clauses as long as the listener comes back within `patience_s`.

    A player that has enough for now reads on minutes later, or never: a stream would keep all others from speaking.
    Used by many threads, each with an object of its own that stands for who speaks.
    """

    def __init__(self, patience_s: float):
        self._patience_s = patience_s
        self._changed = threading.Condition()
        self._speaker: object = None
        self._handed_at: float | None = None
        """When the speaker gave a clause away and was not back yet."""

    def take(self, speaker: object) -> None:
        """Wait until `speaker` may speak. Blocks."""
        with self._changed:
            while self._speaker not in (None, speaker) and (left_s := self._left_s()) > 0:
                self._changed.wait(min(left_s, threading.TIMEOUT_MAX))
            self._speaker, self._handed_at = speaker, None

    def hand(self, speaker: object) -> None:
        """Note that the listener has the clause now; the floor is kept for a while."""
        with self._changed:
            if self._speaker is speaker:
                self._handed_at = time.monotonic()
                self._changed.notify_all()

    def leave(self, speaker: object) -> None:
        """Let others speak, if it was still kept."""
        with self._changed:
            if self._speaker is speaker:
                self._speaker = self._handed_at = None
                self._changed.notify_all()

    def _left_s(self) -> float:
        if self._handed_at is None:
            return float("inf")
        return self._handed_at + self._patience_s - time.monotonic()
