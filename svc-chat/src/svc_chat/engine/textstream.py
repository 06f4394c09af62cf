"""From token bytes to text that may be shown: whole characters, and nothing of a stop string.

Pure; knows no model. A token may end in the middle of a character, and a stop string may lie over
several tokens, so both are held back until it is clear what they are.
"""

from __future__ import annotations

import codecs
from collections.abc import Sequence


class TextStream:
    """Feeds on token bytes, gives text; `stopped` once a stop string was seen."""

    def __init__(self, stop: Sequence[str] = ()):
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._stop = tuple(s for s in stop if s)
        self._held = ""
        self.stopped = False

    def feed(self, piece: bytes) -> str:
        """Return the text that is now certain (may be empty)."""
        if self.stopped:
            return ""
        self._held += self._decoder.decode(piece)
        cut = self._first_stop()
        if cut is not None:
            self.stopped = True
            shown, self._held = self._held[:cut], ""
            return shown
        keep = self._possible_stop_length()
        shown = self._held[: len(self._held) - keep]
        self._held = self._held[len(shown) :]
        return shown

    def finish(self) -> str:
        """Return what was held back, now that nothing follows."""
        if self.stopped:
            return ""
        rest = self._held + self._decoder.decode(b"", final=True)
        self._held = ""
        return rest

    def _first_stop(self) -> int | None:
        places = [place for s in self._stop if (place := self._held.find(s)) >= 0]
        return min(places, default=None)

    def _possible_stop_length(self) -> int:
        """Length of the longest tail that may be the beginning of a stop string."""
        longest = max((len(s) for s in self._stop), default=1) - 1
        for length in range(min(longest, len(self._held)), 0, -1):
            tail = self._held[-length:]
            if any(s.startswith(tail) for s in self._stop):
                return length
        return 0
