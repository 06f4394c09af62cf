"""Reads tool calls out of an answer while it is being written.

A forced call follows a schema, so its arguments are passed on as they come. A free call is held back until
it is whole, because text that is no call after all has to stay text. Pure; `callformats.py` knows the families.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator, Set
from dataclasses import replace

from svc_chat.domain.callformats import (
    LIST_MARK,
    PYTHON_MARK,
    WrittenCall,
    as_call,
    calls_of,
    may_begin_call,
)
from svc_chat.domain.jsonend import JsonEnd
from svc_chat.domain.tools import ToolPlan
from svc_chat.engine.base import CallDelta, Delta, TokenLogprob
from svc_chat.tool_marks import CLOSE, OPEN

Piece = str | CallDelta
_MARKS = (OPEN, LIST_MARK, PYTHON_MARK)
_HEAD = re.compile(r'\s*\{\s*"name"\s*:\s*"([^"\\]*)"\s*,\s*"(?:arguments|parameters)"\s*:\s*(?=\{)')


class CallReader:
    """Turns the Deltas of one answer into Deltas that hold either text or calls.

    Args:
        plan: what was asked of the model.
        bare: whether an answer that is nothing but JSON may be a call; not when JSON of any kind was asked for.
    """

    def __init__(self, plan: ToolPlan, *, bare: bool = True):
        free = _Free(plan.names, single=not plan.parallel, bare=bare)
        self._reader: _Free | _Forced = _Forced(free, single=not plan.parallel) if plan.forced else free
        self._scores: tuple[TokenLogprob, ...] = ()
        self._called = False

    def read(self, delta: Delta) -> Iterator[Delta]:
        """Return what is certain now; the last Delta of the answer says `tool_calls` if there were any."""
        if delta.calls:
            self._called = True
            yield Delta(calls=delta.calls, index=delta.index)
        self._scores += delta.logprobs
        pieces = self._reader.feed(delta.text)
        if delta.finish_reason is not None:
            pieces += self._reader.finish()
        for piece in pieces:
            if isinstance(piece, str):
                yield Delta(piece, self._scores, index=delta.index)
                self._scores = ()
            else:
                self._called = True
                yield Delta(calls=(piece,), index=delta.index)
        if delta.finish_reason is not None:
            called = self._called and delta.finish_reason == "stop"
            reason = "tool_calls" if called else delta.finish_reason
            scores = () if self._called else self._scores
            yield replace(delta, text="", logprobs=scores, finish_reason=reason, calls=())


class _Free:
    """An answer that may hold calls, in any family's way."""

    def __init__(self, names: Set[str], *, single: bool, bare: bool):
        self.names, self._single, self._bare = names, single, bare
        self._held = self._space = ""
        self._ending = self._whole = False
        self._object: tuple[JsonEnd, int] | None = None  # the object after OPEN, and up to where it was read
        self.calls = 0

    def feed(self, text: str) -> list[Piece]:
        self._held += text
        pieces: list[Piece] = []
        while self._held and not self._whole:
            before = self._held
            pieces += self._step()
            if self._held == before:
                break
        return pieces

    def finish(self) -> list[Piece]:
        self._ending = True
        pieces = self.feed("")
        if self._whole:
            calls = calls_of(self._held, self.names)
            pieces += self._shown(self._held) if calls is None else self._taken(calls)
            self._held = ""
        return pieces + ([self._space] if self._space and not self.calls else [])

    def _step(self) -> list[Piece]:
        if self._held.startswith(OPEN):
            return self._call()
        if self._bare:
            start = self._held.lstrip()
            verdict = may_begin_call(start)
            self._whole = verdict == "yes"
            if self._whole or (verdict == "later" and not self._ending):
                return []
            self._bare = False
        places = [place for mark in _MARKS if (place := self._held.find(mark)) >= 0]
        if not places:
            shown, self._held = (self._held, "") if self._ending else _release(self._held)
            return self._shown(shown)
        before, self._held = self._held[: min(places)], self._held[min(places) :]
        self._whole = not self._held.startswith(OPEN)
        return self._shown(before)

    def _call(self) -> list[Piece]:
        """Read the call at the beginning of what is held, or wait for more of it."""
        self._bare = False
        start = len(self._held) - len(self._held[len(OPEN) :].lstrip())
        if start == len(self._held):
            return self._as_text(start) if self._ending else []
        if self._held[start] != "{":
            return self._as_text(len(OPEN))
        end = self._object_end(start)
        if end is None:
            return self._as_text(len(self._held)) if self._ending else []
        tail = self._held[end:].lstrip()
        if not tail.startswith(CLOSE):
            if CLOSE.startswith(tail) and not self._ending:
                return []
            if tail:
                return self._as_text(end)
        call = self._read(self._held[start:end])
        end = len(self._held) - len(tail.removeprefix(CLOSE))
        if call is None:
            return self._as_text(end)
        self._held, self._object = self._held[end:], None
        return self._taken([call])

    def _object_end(self, start: int) -> int | None:
        scan, place = self._object or (JsonEnd(), start)
        length = scan.feed(self._held[place:])
        if length is None:
            self._object = (scan, len(self._held))
            return None
        self._object = (JsonEnd(), start)
        return place + length

    def _read(self, text: str) -> WrittenCall | None:
        try:
            return as_call(json.loads(text), self.names)
        except (ValueError, RecursionError):
            return None

    def _as_text(self, length: int) -> list[Piece]:
        text, self._held, self._object = self._held[:length], self._held[length:], None
        return self._shown(text)

    def _shown(self, text: str) -> list[Piece]:
        """Show text, but hold white space back: before a call it is nothing."""
        text = self._space + text
        shown = text.rstrip()
        self._space = text[len(shown) :]
        return [shown] if shown else []

    def _taken(self, calls: list[WrittenCall]) -> list[Piece]:
        pieces: list[Piece] = []
        self._space = ""
        for call in calls:
            if not (self._single and self.calls):
                pieces += [_opening(self.calls, call.name), CallDelta(self.calls, call.arguments)]
                self.calls += 1
        return pieces


class _Forced:
    """An answer that the schema makes a call, and perhaps more of them. Anything else is read as a free answer."""

    def __init__(self, free: _Free, *, single: bool):
        self._free, self._names, self._single = free, free.names, single
        self._held = ""
        self._object: JsonEnd | None = None
        self._calls, self._is_free, self._done = 0, False, False

    def feed(self, text: str) -> list[Piece]:
        if self._is_free:
            return self._free.feed(text)
        self._held += text
        pieces: list[Piece] = []
        while self._held and not self._done:
            before = (self._held, self._object)
            pieces += self._step()
            if (self._held, self._object) == before:
                break
        return pieces

    def finish(self) -> list[Piece]:
        if not self._is_free and not self._calls:
            return self._free.feed(self._held) + self._free.finish()
        return self._free.finish() if self._is_free else []

    def _step(self) -> list[Piece]:
        call = self._calls - 1
        if self._object is not None:
            length = self._object.feed(self._held)
            piece, self._held = self._held[:length], "" if length is None else self._held[length:]
            if length is not None:
                self._object, self._done = None, self._single
            return [CallDelta(call, piece)]
        if self._calls:  # what is between two calls
            self._held = self._held[self._held.find("{") :] if "{" in self._held else ""
        head = _HEAD.match(self._held)
        if head is not None and head[1] in self._names:
            self._calls += 1
            self._held, self._object = self._held[head.end() :], JsonEnd()
            return [_opening(call + 1, head[1])]
        start = self._held.lstrip()
        if not self._calls and start and (head or not start.startswith("{")):
            self._is_free = True
            held, self._held = self._held, ""
            return self._free.feed(held)
        return []


def _opening(call: int, name: str) -> CallDelta:
    return CallDelta(call, id=f"call_{uuid.uuid4().hex[:24]}", name=name)


def _release(held: str) -> tuple[str, str]:
    """Split text into what can be shown and a tail that may be the beginning of a mark."""
    for length in range(min(max(map(len, _MARKS)) - 1, len(held)), 0, -1):
        if any(mark.startswith(held[-length:]) for mark in _MARKS):
            return held[:-length], held[-length:]
    return held, ""
