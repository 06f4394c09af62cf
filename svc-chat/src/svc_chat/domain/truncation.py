"""Dropping the oldest turns of a conversation that does not fit a model's context."""

from __future__ import annotations

from collections.abc import Sequence

from svc_chat.engine.base import Message

_ROOM_SHARE = 0.25
"""Share of the context that is left for the answer, at most."""


def shortened(
    messages: Sequence[Message], tokens: int, limit: int, max_tokens: int
) -> tuple[Message, ...] | None:
    """Drop whole turns (a user's message and all that followed it), oldest first, until it should fit.

    System messages and the last turn stay. None when nothing can be dropped. How long a message is in
    tokens is reckoned from its characters; the engine has the last word.
    """
    head = [message for message in messages if message.role == "system"]
    rest = [message for message in messages if message.role != "system"]
    starts = [index for index, message in enumerate(rest) if message.role == "user" and index > 0]
    total = sum(map(_size, messages)) or 1
    too_many = tokens - limit + min(max_tokens, int(limit * _ROOM_SHARE))
    for start in starts:
        dropped = sum(map(_size, rest[:start])) / total * tokens
        if dropped >= too_many or start == starts[-1]:
            return (*head, *rest[start:])
    return None


def _size(message: Message) -> int:
    calls = sum(len(str(call)) for call in message.tool_calls)
    return len(message.content) + calls + 16
