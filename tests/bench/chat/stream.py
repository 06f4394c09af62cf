"""Reads a streamed answer with the time at which each piece came. Knows the format, not the network."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

DONE = b"[DONE]"


class EventSplitter:
    """Turns bytes as they arrive into the data of server-sent events; lines may end in LF or CR LF."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, piece: bytes) -> list[bytes]:
        """Return the data of every `data:` line that `piece` completes; comments and other fields are dropped."""
        *lines, self._rest = (self._rest + piece).split(b"\n")
        found = []
        for line in lines:
            if line.startswith(b"data:"):
                found.append(line[5:].strip(b" \r"))
        return found


@dataclass
class Recording:
    """The events of one answer and the seconds after the request at which each came.

    Nothing is parsed while tokens still come: the processor belongs to the server then.
    """

    events: list[tuple[float, bytes]] = field(default_factory=list)
    _splitter: EventSplitter = field(default_factory=EventSplitter)

    def add(self, at_s: float, piece: bytes) -> None:
        """Keep what arrived `at_s` seconds after the request."""
        self.events += [(at_s, event) for event in self._splitter.feed(piece)]

    def answer(self) -> Answer:
        """Parse what came."""
        texts, reason = [], None
        for at_s, event in self.events:
            if event == DONE:
                continue
            body = json.loads(event)
            if "error" in body:
                raise RuntimeError(f"the server ended an answer with an error: {body['error']}")
            for choice in body.get("choices", ()):
                reason = choice.get("finish_reason") or reason
                if text := _text(choice):
                    texts.append((at_s, text))
        return Answer(tuple(texts), reason)


@dataclass(frozen=True)
class Answer:
    """What one request got: pieces of text with the seconds at which they came, and why it ended."""

    pieces: tuple[tuple[float, str], ...]
    finish_reason: str | None

    @property
    def text(self) -> str:
        """The whole answer."""
        return "".join(text for _, text in self.pieces)

    @property
    def first_s(self) -> float:
        """Seconds until the first text."""
        return self.pieces[0][0]

    @property
    def last_s(self) -> float:
        """Seconds until the last text."""
        return self.pieces[-1][0]

    def longest_gap_s(self, after_s: float = 0.0) -> float:
        """Return the longest wait between two pieces of which the later came after `after_s`."""
        times = [at_s for at_s, _ in self.pieces]
        return max((later - before for before, later in pairwise(times) if later > after_s), default=0.0)


def check_complete(answers: Sequence[Answer]) -> None:
    """Raise RuntimeError unless every answer ran to its full length: otherwise its tokens are not known."""
    reasons = {answer.finish_reason for answer in answers}
    if reasons != {"length"}:
        raise RuntimeError(f"answers ended by {sorted(map(str, reasons))} instead of by their length")


def median_first_s(answers: Sequence[Answer]) -> float:
    """Return the median of the seconds until the first text."""
    return statistics.median(answer.first_s for answer in answers)


def _text(choice: dict[str, Any]) -> str:
    delta = choice.get("delta") or {}
    return delta.get("content") or choice.get("text") or ""
