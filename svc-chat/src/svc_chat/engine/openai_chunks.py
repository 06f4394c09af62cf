"""Reads the chunks of OpenAI's streams: text, scores, pieces of calls, usage. Keeps no connection."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from servicekit.errors import UpstreamFailed
from svc_chat.engine.base import CallDelta, Delta, FinishReason, GenerationRequest, TokenLogprob, Usage
from svc_chat.engine.remote import Server

_REASONS: dict[str, FinishReason] = {
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
}


class ChunkReader:
    """Turns the lines of one answer into Deltas.

    The endings of all choices wait until the usage is known, which comes last.
    """

    def __init__(self, server: Server, request: GenerationRequest):
        self._server, self._request = server, request
        self._started = time.perf_counter()
        self._reasons: dict[int, FinishReason] = {}
        self._usage = Usage()
        self._cut = False
        self.seen: set[int] = set()
        """The choices that were written."""
        self.done = False

    def read(self, line: str) -> Iterator[Delta]:
        """Return what a line says; raises UpstreamFailed when it says nothing that can be understood."""
        if not line.startswith("data:"):
            return
        text = line[5:].strip()
        if text == "[DONE]":
            self.done = True
            return
        try:
            chunk = json.loads(text)
            if "error" in chunk:
                raise self._server.broken("reported an error while it was answering")
            yield from self._chunk(chunk)
        except UpstreamFailed:
            raise
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise self._server.broken("sent something that is not a chunk of an answer") from error

    def cut(self) -> None:
        """Take what there is as the answer: its time is up."""
        self._cut = True
        self.seen |= set(range(self._request.choices))

    def end(self) -> Iterator[Delta]:
        """Return the endings of the choices; raises UpstreamFailed when the answer broke off."""
        if not self._cut and not self.done and (not self.seen or self.seen - self._reasons.keys()):
            raise self._server.broken("broke off in the middle")
        self.seen = self.seen or {0}
        usage = replace(self._usage, run_s=time.perf_counter() - self._started)
        unsaid: FinishReason = "length" if self._cut else "stop"
        for index in sorted(self.seen):
            yield Delta(finish_reason=self._reasons.get(index, unsaid), usage=usage, index=index)
            usage = replace(usage, completion_tokens=0)  # the server tells the sum of all choices

    def _chunk(self, chunk: Mapping[str, Any]) -> Iterator[Delta]:
        if chunk.get("usage"):
            told = chunk["usage"]
            cached = (told.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
            self._usage = Usage(
                int(told["prompt_tokens"]), int(told.get("completion_tokens") or 0), int(cached)
            )
        for choice in chunk.get("choices") or ():
            index = int(choice.get("index") or 0)
            if index >= self._request.choices:
                continue
            self.seen.add(index)
            said = choice.get("delta") or {}
            text = str(choice.get("text") or said.get("content") or said.get("refusal") or "")
            delta = Delta(text, _scores(choice.get("logprobs") or {}), index=index, calls=_calls(said))
            if delta.text or delta.logprobs or delta.calls:
                yield delta
            if choice.get("finish_reason"):
                self._reasons[index] = _REASONS.get(choice["finish_reason"], "stop")


def _calls(said: Mapping[str, Any]) -> tuple[CallDelta, ...]:
    pieces = []
    for place, call in enumerate(said.get("tool_calls") or ()):
        function = call.get("function") or {}
        name = function.get("name")
        known = str(call.get("id") or f"call_{uuid.uuid4().hex[:24]}") if name else None
        number = call.get("index")
        arguments = str(function.get("arguments") or "")
        pieces.append(CallDelta(place if number is None else int(number), arguments, known, name or None))
    return tuple(pieces)


def _scores(told: Mapping[str, Any]) -> tuple[TokenLogprob, ...]:
    if told.get("content"):
        return tuple(
            TokenLogprob(
                str(row["token"]),
                float(row["logprob"]),
                tuple((str(o["token"]), float(o["logprob"])) for o in row.get("top_logprobs") or ()),
                bytes(row["bytes"]) if row.get("bytes") else None,
            )
            for row in told["content"]
        )
    tokens = told.get("tokens") or ()
    scores = told.get("token_logprobs") or ()
    others = told.get("top_logprobs") or [{}] * len(tokens)
    return tuple(
        TokenLogprob(
            str(token), float(score or 0.0), tuple((str(t), float(p)) for t, p in (top or {}).items())
        )
        for token, score, top in zip(tokens, scores, others, strict=False)
    )
