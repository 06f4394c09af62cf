"""Takes a mark of a passage, such as "[2] ", from the beginning of an answer that no passages were given for.

The built-in model learnt to cite numbered passages, and takes the words of a picture (`[image: …]`) for one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from svc_chat.engine.base import Delta, Message

_MARK = re.compile(r"\[\d{1,2}\]\s*")
_BEGUN = re.compile(r"\[\d{0,2}\]?\s*")
"""What may still become a mark."""


def numbered(messages: Sequence[Message]) -> bool:
    """Return whether passages with numbers stand in the messages: their marks mean something."""
    return any(_MARK.search(message.content) for message in messages)


class Unmarked:
    """Reads the Deltas of one answer and gives them back without a mark at its beginning."""

    def __init__(self) -> None:
        self._held: list[Delta] = []
        self._decided = False

    def read(self, delta: Delta) -> Iterator[Delta]:
        """Return what is certain now; what may be a mark waits, with all that stands beside it."""
        if self._decided:
            yield delta
            return
        self._held.append(delta)
        begun = "".join(held.text for held in self._held)
        if delta.finish_reason is None and not delta.calls and _BEGUN.fullmatch(begun):
            return
        self._decided = True
        mark = _MARK.match(begun)
        yield from _without(self._held, mark.end() if mark else 0)


def _without(deltas: Sequence[Delta], characters: int) -> Iterator[Delta]:
    for delta in deltas:
        taken, characters = min(characters, len(delta.text)), max(0, characters - len(delta.text))
        if not taken:
            yield delta
        elif taken < len(delta.text) or delta.finish_reason is not None or delta.calls:
            yield replace(delta, text=delta.text[taken:])
