"""Reads the lines of Ollama's streams: text, calls, scores, and the end. Keeps no connection."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from servicekit.errors import UpstreamFailed
from svc_chat.engine.base import CallDelta, Delta, FinishReason, TokenLogprob, Usage
from svc_chat.engine.remote import Server

_NANO = 1e-9


class EventReader:
    """Turns the lines of one answer into Deltas."""

    def __init__(self, server: Server):
        self._server = server
        self._calls = 0
        self._last: Delta | None = None

    def read(self, line: str) -> Iterator[Delta]:
        """Return what a line says; raises UpstreamFailed when it is an error or cannot be understood."""
        if not line.strip():
            return
        try:
            event = json.loads(line)
            if "error" in event:
                raise self._server.broken("reported an error while it was answering")
            yield from self._event(event)
        except UpstreamFailed:
            raise
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise self._server.broken("sent something that is not JSON of its API") from error

    def cut(self) -> None:
        """Take what there is as the answer: its time is up."""
        self._last = self._last or Delta(finish_reason="length", usage=Usage())

    def end(self) -> Delta:
        """Return the ending; raises UpstreamFailed when the answer broke off."""
        if self._last is None:
            raise self._server.broken("broke off in the middle")
        return self._last

    def _event(self, event: Mapping[str, Any]) -> Iterator[Delta]:
        message = event.get("message") or {}
        text = str(event.get("response") or message.get("content") or "")
        scores = tuple(_score(row) for row in event.get("logprobs") or ())
        if text or scores:
            yield Delta(text, scores)
        for call in message.get("tool_calls") or ():
            function = call["function"]
            arguments = json.dumps(arguments_of(function.get("arguments")), ensure_ascii=False)
            known = f"call_{uuid.uuid4().hex[:24]}"
            yield Delta(calls=(CallDelta(self._calls, arguments, known, str(function["name"])),))
            self._calls += 1
        if event.get("done"):
            self._last = self._ending(event)

    def _ending(self, event: Mapping[str, Any]) -> Delta:
        load_s = float(event.get("load_duration") or 0) * _NANO
        usage = Usage(
            int(event.get("prompt_eval_count") or 0),
            int(event.get("eval_count") or 0),
            load_s=load_s,
            run_s=max(0.0, float(event.get("total_duration") or 0) * _NANO - load_s),
        )
        reason: FinishReason = "length" if event.get("done_reason") == "length" else "stop"
        return Delta(finish_reason="tool_calls" if self._calls and reason == "stop" else reason, usage=usage)


def arguments_of(given: Any) -> dict[str, Any]:
    """Return a call's arguments as an object: OpenAI's clients write them as a JSON text."""
    if isinstance(given, str):
        try:
            given = json.loads(given)
        except ValueError:
            return {}
    return given if isinstance(given, dict) else {}


def _score(row: Mapping[str, Any]) -> TokenLogprob:
    others = tuple((str(o["token"]), float(o["logprob"])) for o in row.get("top_logprobs") or ())
    return TokenLogprob(str(row["token"]), float(row["logprob"]), others)
