"""Going on with an answer that was interrupted, without contradicting what was already told.

Plain text goes on after what is there: the engine gets it as the beginning of the answer. An answer bound
by a schema, and one in the middle of a function call, is written again from the start with the same seed:
what was told already is compared and left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from servicekit.errors import NotReady
from svc_chat.engine.base import CallDelta, Delta
from svc_chat.engine.history import Item


class Interrupted(NotReady):
    """An answer was interrupted and its second writing differs from the first."""

    code = "answer_interrupted"

    def __init__(self) -> None:
        super().__init__("The answer was interrupted and could not be continued. Ask again.")


class Retelling:
    """Leaves out of a second writing what the first had told."""

    def __init__(self, text: str, calls: Sequence[Item]):
        self._text = text
        self._calls = [(call["name"], call["arguments"]) for call in calls]
        self._left = [arguments for _, arguments in self._calls]

    def rest(self, delta: Delta) -> Delta:
        """Return the part of `delta` that is new; raises Interrupted when it is not what was told."""
        text, self._text = _beyond(delta.text, self._text)
        calls = tuple(self._call(piece) for piece in delta.calls)
        if delta.finish_reason is not None and (self._text or any(self._left)):
            raise Interrupted()
        return replace(delta, text=text, calls=calls, logprobs=delta.logprobs if text else ())

    def _call(self, piece: CallDelta) -> CallDelta:
        if piece.call >= len(self._calls):
            return piece
        if piece.name is not None and piece.name != self._calls[piece.call][0]:
            raise Interrupted()
        new, self._left[piece.call] = _beyond(piece.arguments, self._left[piece.call])
        return CallDelta(piece.call, new)


def _beyond(written: str, told: str) -> tuple[str, str]:
    """Return what of `written` is beyond `told`, and what of `told` is still to come."""
    length = min(len(written), len(told))
    if written[:length] != told[:length]:
        raise Interrupted()
    return written[length:], told[length:]


def open_call(output: Iterable[Item]) -> bool:
    """Say whether function calls were begun."""
    return any(item["type"] == "function_call" for item in output)
