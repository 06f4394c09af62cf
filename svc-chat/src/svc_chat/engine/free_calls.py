"""A grammar for answers that may call tools: text is free, and what follows the mark of a call is a valid call.

Small models often begin a call well and end it badly. Knows no model: a grammar of one call is started anew each
time the mark has been written. Used by the loop's thread alone.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from svc_chat.engine.backend import Backend, Grammar
from svc_chat.engine.base import ANY_OBJECT, CallForm, GenerationRequest, Repetition
from svc_chat.tool_marks import CLOSE, OPEN

_OPEN, _CLOSE = OPEN.encode(), CLOSE.encode()
_SPACE = b" \t\r\n"
MAX_SPACES = 2
"""Tokens of white space between the mark and the call; some models write a line break there."""


class FreeCalls:
    """See the module. `start` gives the grammar of one call with its closing mark, `piece` a token's bytes."""

    def __init__(self, start: Callable[[], Grammar], piece: Callable[[int], bytes]):
        self._start, self._piece = start, piece
        self._call: Grammar | None = None
        self._tail = b""
        self._spaces = 0

    def allowed(self, tokens: NDArray[np.int32]) -> NDArray[np.bool_]:
        if self._call is None:
            return np.ones(len(tokens), dtype=np.bool_)
        good = self._call.allowed(tokens)
        if self._spaces < MAX_SPACES:
            for place in np.flatnonzero(~good):
                good[place] = self._is_space(int(tokens[place]))
        return good

    def accept(self, token: int) -> None:
        piece = self._piece(token)
        if self._call is None:
            self._tail = (self._tail + piece)[-2 * len(_OPEN) :]
            if self._tail.rstrip(_SPACE).endswith(_OPEN):
                self._call, self._tail, self._spaces = self._start(), b"", 0
        elif self._spaces < MAX_SPACES and self._is_space(token):
            self._spaces += 1
        else:
            self._spaces = MAX_SPACES
            self._call.accept(token)
            self._tail = (self._tail + piece)[-len(_CLOSE) :]
            if self._tail == _CLOSE:
                self.close()

    def close(self) -> None:
        if self._call is not None:
            self._call.close()
        self._call, self._tail = None, b""

    def _is_space(self, token: int) -> bool:
        piece = self._piece(token)
        return bool(piece) and not piece.strip(_SPACE)


class FormedCall:
    """A grammar of calls that are of a form as well; `piece` gives a token's bytes."""

    def __init__(self, call: Grammar, form: CallForm, piece: Callable[[int], bytes]):
        self._call, self._form, self._piece = call, form, piece
        self._text = b""
        self._rests: Collection[bytes] | None = None

    def allowed(self, tokens: NDArray[np.int32]) -> NDArray[np.bool_]:
        good = self._call.allowed(tokens)
        for place in np.flatnonzero(good):
            good[place] = self._fits(self._piece(int(tokens[place])))
        return good

    def _fits(self, piece: bytes) -> bool:
        """Say whether a token's bytes may follow; the form is walked once for all of them, and again for few."""
        if self._rests is None:
            self._rests = frozenset(self._form.rests(self._text))
        if not piece:  # a control token, which stands where anything may
            return b"" in self._rests
        if any(rest.startswith(piece) for rest in self._rests):
            return True
        goes_on = any(piece.startswith(rest) for rest in self._rests)
        return goes_on and self._form.may_begin(self._text + piece)

    def accept(self, token: int) -> None:
        self._text, self._rests = self._text + self._piece(token), None
        self._call.accept(token)

    def close(self) -> None:
        self._call.close()


def call_grammar(
    backend: Backend, schema: Mapping[str, Any], repetition: Repetition | None, form: CallForm | None
) -> Grammar:
    """Return the grammar of calls by their schema, and their form if they have one."""
    call = backend.grammar(schema, repetition)
    return call if form is None else FormedCall(call, form, backend.piece)


def free_calls(backend: Backend, request: GenerationRequest) -> FreeCalls | None:
    """Return the grammar of an answer to `request`, None when its tools' schemas cannot be expressed."""
    schema = request.free_call
    if schema is None:
        return None

    def start() -> Grammar:
        return call_grammar(backend, schema, Repetition("", f"\n{CLOSE}", 1), request.call_form)

    try:
        start().close()
    except Exception:  # the converter raises whatever it trips over: such calls stay free
        return None
    return FreeCalls(start, backend.piece)


def json_or_call(request: GenerationRequest) -> Mapping[str, Any] | None:
    """Return the schema of an answer that has to be JSON; it may then be a call as well, without the mark.

    An answer that may be any object may be a call anyway, and is not taken for one.
    """
    answer, call = request.json_schema, request.free_call
    if answer is None or call is None or answer == ANY_OBJECT:
        return answer
    definitions = {**(answer.get("$defs") or {}), **(call.get("$defs") or {})}
    either = [{key: value for key, value in one.items() if key != "$defs"} for one in (answer, call)]
    return {"anyOf": either, **({"$defs": definitions} if definitions else {})}
