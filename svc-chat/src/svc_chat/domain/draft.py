"""A response while it is written: OpenAI's object, and the numbered events that tell how it grew.

Pure. The same events, read back, make the same draft: that is how an interrupted answer goes on.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from servicekit.errors import ServiceError
from svc_chat.domain.items import new_id
from svc_chat.engine.base import CallDelta, TokenLogprob, Usage
from svc_chat.engine.history import Event, Item

Events = list[dict[str, Any]]


class Draft:
    """Owns the response object and the number of the next event."""

    def __init__(self, body: Mapping[str, Any]):
        self.body: dict[str, Any] = copy.deepcopy(dict(body))
        self.next_number = 0
        self._open: int | None = None
        self._calls: dict[int, int] = {}

    @property
    def output(self) -> list[dict[str, Any]]:
        """The output items so far."""
        return self.body["output"]

    @property
    def text(self) -> str:
        """What was written of the message so far."""
        return "".join(
            part["text"] for item in self.output if item["type"] == "message" for part in item["content"]
        )

    @property
    def calls(self) -> tuple[Item, ...]:
        """The function calls so far."""
        return tuple(item for item in self.output if item["type"] == "function_call")

    @property
    def ended(self) -> bool:
        """Whether nothing more comes."""
        return self.body["status"] not in ("queued", "in_progress")

    def created(self) -> Events:
        """Tell that it is there."""
        events = [self._whole("response.created")]
        if self.body["status"] == "queued":
            events.append(self._whole("response.queued"))
        return events

    def begun(self) -> Events:
        """Tell that the model writes."""
        self.body["status"] = "in_progress"
        return [self._whole("response.in_progress")]

    def write(self, text: str, logprobs: Sequence[TokenLogprob] = ()) -> Events:
        """Add text to the message."""
        events: Events = []
        index = self._message(events)
        part = self.output[index]["content"][0]
        part["text"] += text
        scores = [_score(row) for row in logprobs]
        part["logprobs"] += scores
        told = self._at("response.output_text.delta", index, content_index=0, delta=text)
        told["logprobs"] = [_bare(score) for score in scores]
        return [*events, told]

    def call(self, piece: CallDelta) -> Events:
        """Add to a function call; its first piece closes what was open before."""
        events: Events = []
        if piece.call not in self._calls:
            events += self._close("completed")
            item = {
                "id": new_id("fc"),
                "type": "function_call",
                "status": "in_progress",
                "call_id": piece.id or new_id("call"),
                "name": piece.name or "",
                "arguments": "",
            }
            self._calls[piece.call] = self._add(item, events)
        index = self._calls[piece.call]
        if piece.arguments:
            self.output[index]["arguments"] += piece.arguments
            events.append(self._at("response.function_call_arguments.delta", index, delta=piece.arguments))
        return events

    def drop(self, messages: int) -> Events:
        """Say that the oldest messages were left out because the context was too small."""
        self.body["dropped_messages"] = self.body.get("dropped_messages", 0) + messages
        return [self._whole("response.in_progress")]

    def finish(self, reason: str, usage: Usage | None, extra: Mapping[str, Any] | None = None) -> Events:
        """End it as the model did: `stop` or `length`."""
        events: Events = []
        if not self.output:
            self._message(events)
        self.body |= {"usage": _usage(usage), **(extra or {})} if usage else dict(extra or {})
        if reason == "length":
            events += self._close("incomplete")
            self.body |= {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
            return [*events, self._whole("response.incomplete")]
        events += self._close("completed")
        self.body |= {"status": "completed", "completed_at": int(time.time())}
        return [*events, self._whole("response.completed")]

    def cancel(self) -> Events:
        """End it because somebody wants no more of it. OpenAI names no event of its own for that."""
        events = self._close("incomplete")
        self.body["status"] = "cancelled"
        return [*events, self._whole("response.incomplete")]

    def fail(self, error: ServiceError) -> Events:
        """End it with an error."""
        events = self._close("incomplete")
        code = {400: "invalid_prompt", 429: "rate_limit_exceeded"}.get(error.status, "server_error")
        self.body["status"] = "failed"
        self.body["error"] = {
            "code": code,
            "message": error.message,
            "param": error.param,
            "type": error.code,
        }
        return [*events, self._whole("response.failed")]

    def replay(self, events: Iterable[Event]) -> None:
        """Take up events that were told before; the draft is then where it was after the last."""
        for event in events:
            self.next_number = event["sequence_number"] + 1
            kind, index = event["type"], event.get("output_index", 0)
            if "response" in event:
                self.body = copy.deepcopy(dict(event["response"]))
            elif kind == "response.output_item.added":
                self.output.append(copy.deepcopy(event["item"]))
                self._open = index
                if event["item"]["type"] == "function_call":
                    self._calls[len(self._calls)] = index
            elif kind == "response.content_part.added":
                self.output[index]["content"].append(copy.deepcopy(event["part"]))
            elif kind == "response.output_text.delta":
                part = self.output[index]["content"][0]
                part["text"] += event["delta"]
                part["logprobs"] += [_with_bytes(score) for score in event["logprobs"]]
            elif kind == "response.function_call_arguments.delta":
                self.output[index]["arguments"] += event["delta"]
            elif kind == "response.output_item.done":
                self.output[index] = copy.deepcopy(event["item"])
                self._open = None

    def _message(self, events: Events) -> int:
        if self._open is not None and self.output[self._open]["type"] == "message":
            return self._open
        events += self._close("completed")
        item = {
            "id": new_id("msg"),
            "type": "message",
            "status": "in_progress",
            "role": "assistant",
            "content": [],
        }
        index = self._add(item, events)
        part = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
        events.append(
            self._at("response.content_part.added", index, content_index=0, part=copy.deepcopy(part))
        )
        self.output[index]["content"].append(part)
        return index

    def _add(self, item: dict[str, Any], events: Events) -> int:
        self.output.append(item)
        self._open = len(self.output) - 1
        added = {
            "type": "response.output_item.added",
            "output_index": self._open,
            "item": copy.deepcopy(item),
        }
        events.append(self._numbered(added))
        return self._open

    def _close(self, status: str) -> Events:
        if self._open is None:
            return []
        index, item = self._open, self.output[self._open]
        self._open = None
        item["status"] = status
        events: Events = []
        if item["type"] == "message":
            part = item["content"][0]
            scores = [_bare(score) for score in part["logprobs"]]
            events.append(
                self._at(
                    "response.output_text.done", index, content_index=0, text=part["text"], logprobs=scores
                )
            )
            events.append(
                self._at("response.content_part.done", index, content_index=0, part=copy.deepcopy(part))
            )
        else:
            named = {"name": item["name"], "arguments": item["arguments"]}
            events.append(self._at("response.function_call_arguments.done", index, **named))
        done = {"type": "response.output_item.done", "output_index": index, "item": copy.deepcopy(item)}
        return [*events, self._numbered(done)]

    def _at(self, kind: str, index: int, **fields: Any) -> dict[str, Any]:
        return self._numbered(
            {"type": kind, "item_id": self.output[index]["id"], "output_index": index, **fields}
        )

    def _whole(self, kind: str) -> dict[str, Any]:
        return self._numbered({"type": kind, "response": copy.deepcopy(self.body)})

    def _numbered(self, event: dict[str, Any]) -> dict[str, Any]:
        event["sequence_number"] = self.next_number
        self.next_number += 1
        return event


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": usage.prompt_tokens,
        "input_tokens_details": {"cached_tokens": usage.cached_tokens, "cache_write_tokens": 0},
        "output_tokens": usage.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
    }


def _score(row: TokenLogprob) -> dict[str, Any]:
    top = [{"token": token, "logprob": value, "bytes": list(token.encode())} for token, value in row.top]
    own = {"token": row.token, "logprob": row.logprob, "bytes": list(row.token.encode())}
    return {**own, "top_logprobs": top}


def _bare(score: Mapping[str, Any]) -> dict[str, Any]:
    """Return a score as events have it: without the bytes."""
    top = [{"token": row["token"], "logprob": row["logprob"]} for row in score["top_logprobs"]]
    return {"token": score["token"], "logprob": score["logprob"], "top_logprobs": top}


def _with_bytes(score: Mapping[str, Any]) -> dict[str, Any]:
    top = [{**row, "bytes": list(row["token"].encode())} for row in score["top_logprobs"]]
    return {**score, "bytes": list(score["token"].encode()), "top_logprobs": top}
