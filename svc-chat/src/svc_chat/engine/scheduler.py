"""What is read in the next step: pure decisions over sequences. Knows no model, no threads, no cells.

Each step serves first everyone who writes (a token each), then reads prompts in order of arrival, up to a budget
that keeps the writers fluent. An adapter holds for a whole batch, so sequences of different adapters take turns.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Sequence as List
from dataclasses import dataclass

from svc_chat.engine.sequence import Sequence


@dataclass(frozen=True)
class Limits:
    """Sizes of a step and of the queue."""

    running: int = 16
    """Answers written at once."""
    waiting: int = 32
    """Answers that may wait; one more is refused."""
    batch_tokens: int = 512
    """Most tokens of a step."""
    prompt_tokens: int = 256
    """Most prompt tokens of a step while others write: about a quarter of a second of a 0.5-billion model."""


@dataclass(frozen=True)
class Piece:
    """The next `count` unread tokens of `sequence`."""

    sequence: Sequence
    count: int

    @property
    def completes(self) -> bool:
        """Whether nothing is left unread, so that the next token can be chosen."""
        return self.count == self.sequence.pending


def plan(running: List[Sequence], limits: Limits) -> list[Piece]:
    """Choose what the next step reads; `running` is in order of arrival."""
    group = turn(running)
    writers = [sequence for sequence in group if sequence.writing]
    pieces = [Piece(sequence, 1) for sequence in writers[: limits.batch_tokens]]
    left = limits.batch_tokens - len(pieces)
    if writers:
        left = min(left, limits.prompt_tokens)
    for sequence in group:
        if left <= 0:
            break
        if not sequence.writing:
            count = min(sequence.pending, left)
            pieces.append(Piece(sequence, count))
            left -= count
    return pieces


def turn(running: List[Sequence]) -> list[Sequence]:
    """Return the sequences whose adapter is served next: that of the one served longest ago."""
    if not running:
        return []
    adapter = min(running, key=lambda sequence: sequence.last_step).adapter
    return [sequence for sequence in running if sequence.adapter == adapter]


def newest(running: Iterable[Sequence]) -> Sequence:
    """Return who steps back when the memory is full: the one that came last."""
    return max(running, key=lambda sequence: sequence.queued_at)
