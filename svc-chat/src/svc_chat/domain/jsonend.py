"""Finds where a JSON object ends while it is still being written. Pure."""

from __future__ import annotations


class JsonEnd:
    """Feeds on the pieces of a text that begins with `{`."""

    def __init__(self) -> None:
        self._depth, self._in_string, self._escaped = 0, False, False

    def feed(self, piece: str) -> int | None:
        """Return how many characters of `piece` belong to the object, or None when all do and it goes on."""
        for place, char in enumerate(piece):
            if self._in_string:
                if self._escaped:
                    self._escaped = False
                elif char == "\\":
                    self._escaped = True
                elif char == '"':
                    self._in_string = False
            elif char == '"':
                self._in_string = True
            elif char in "{[":
                self._depth += 1
            elif char in "}]":
                self._depth -= 1
                if self._depth <= 0:
                    return place + 1
        return None
