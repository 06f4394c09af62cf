"""Whole answers, gathered from the pieces that an engine writes. Pure."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from svc_chat.engine.base import CallDelta, Delta, TokenLogprob, Usage


@dataclass(frozen=True)
class Answer:
    """A whole answer; `tool_calls` in OpenAI's shape."""

    text: str
    tool_calls: tuple[dict[str, Any], ...]
    finish_reason: str
    usage: Usage
    logprobs: tuple[TokenLogprob, ...] = ()


@dataclass
class Gathering:
    """The answer that is on its way."""

    text: str = ""
    reason: str = "stop"
    usage: Usage = field(default_factory=Usage)
    scores: list[TokenLogprob] = field(default_factory=list)
    _calls: dict[int, dict[str, Any]] = field(default_factory=dict)

    def add(self, delta: Delta) -> None:
        """Take one more piece."""
        self.text += delta.text
        self.scores.extend(delta.logprobs)
        self.reason = delta.finish_reason or self.reason
        self.usage = delta.usage or self.usage
        for piece in delta.calls:
            self._add_call(piece)

    def calls(self) -> tuple[dict[str, Any], ...]:
        """Return the calls so far."""
        return tuple(self._calls[index] for index in sorted(self._calls))

    def answer(self) -> Answer:
        """Return what there is."""
        calls = self.calls()
        text = self.text.strip() if calls else self.text
        return Answer(text, calls, self.reason, self.usage, tuple(self.scores))

    def _add_call(self, piece: CallDelta) -> None:
        call = self._calls.setdefault(
            piece.call,
            {"id": piece.id, "type": "function", "function": {"name": piece.name, "arguments": ""}},
        )
        call["function"]["arguments"] += piece.arguments


async def gathered(deltas: AsyncIterator[Delta], choices: int) -> list[Answer]:
    """Return the answers of all `choices`, by index."""
    gathering = [Gathering() for _ in range(choices)]
    async for delta in deltas:
        gathering[delta.index].add(delta)
    return [one.answer() for one in gathering]


def best(answers: Sequence[Answer], number: int) -> list[Answer]:
    """Return the `number` likeliest answers (by the mean log-probability of a token), likeliest first.

    All of them, or answers without scores, keep their order.
    """
    if number >= len(answers):
        return list(answers)

    def mean(answer: Answer) -> float:
        return sum(s.logprob for s in answer.logprobs) / max(1, len(answer.logprobs))

    return sorted(answers, key=mean, reverse=True)[:number]
