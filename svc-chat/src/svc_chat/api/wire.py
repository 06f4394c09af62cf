"""Our answers in OpenAI's shapes."""

from __future__ import annotations

import codecs
import hashlib
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from servicekit.models import InstalledModel
from svc_chat.domain.answers import Answer
from svc_chat.domain.making import made
from svc_chat.domain.service import Prepared
from svc_chat.engine.base import CallDelta, TokenLogprob, Usage

Kind = Literal["chat.completion", "text_completion"]
_PREFIX = {"chat.completion": "chatcmpl-", "text_completion": "cmpl-"}


@dataclass(frozen=True)
class Envelope:
    """What the answer, or all chunks of it, have in common."""

    model: InstalledModel
    kind: Kind = "chat.completion"
    service_tier: str | None = None
    """What the caller asked for; there is one tier here, and the answer says so when asked."""
    with_usage: bool = False
    """Whether chunks have a `usage`, which is null in all but the last."""
    token: str = field(default_factory=lambda: uuid.uuid4().hex)
    created: int = field(default_factory=lambda: int(time.time()))

    def chunk(self, choices: list[dict[str, Any]], **extra: Any) -> dict[str, Any]:
        """Return one event of a stream."""
        kind = "chat.completion.chunk" if self.kind == "chat.completion" else self.kind
        usage = {"usage": None} if self.with_usage else {}
        return {**self._head(kind), "choices": choices, **usage, **extra}

    def whole(self, choices: list[dict[str, Any]], **extra: Any) -> dict[str, Any]:
        """Return the body of an answer that is not streamed."""
        return {**self._head(self.kind), "choices": choices, **extra}

    def _head(self, kind: str) -> dict[str, Any]:
        tier = {"service_tier": "default"} if self.service_tier else {}
        return {
            "id": f"{_PREFIX[self.kind]}{self.token}",
            "object": kind,
            "created": self.created,
            "model": self.model.id,
            "system_fingerprint": fingerprint(self.model),
            **tier,
        }


def fingerprint(model: InstalledModel) -> str:
    """Return what changes when the model behind a name does: with the same `seed`, answers may differ then."""
    what = f"{model.owned_by}|{model.id}|{model.size_bytes}|{model.created}"
    return f"fp_{hashlib.sha256(what.encode()).hexdigest()[:12]}"


def usage_of(prompts: Sequence[Sequence[Usage]]) -> dict[str, Any]:
    """Return OpenAI's `usage`: the prompt of several choices counts once, each of several prompts counts."""
    first = [choices[0] for choices in prompts if choices]
    read = sum(usage.prompt_tokens for usage in first)
    wrote = sum(usage.completion_tokens for choices in prompts for usage in choices)
    return {
        "prompt_tokens": read,
        "completion_tokens": wrote,
        "total_tokens": read + wrote,
        "prompt_tokens_details": {"cached_tokens": sum(u.cached_tokens for u in first), "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def chat_completion(
    prepared: Prepared,
    answers: Sequence[Answer],
    envelope: Envelope,
    *,
    metadata: Mapping[str, str] | None = None,
    functions: bool = False,
) -> dict[str, Any]:
    """Return the body of `POST /v1/chat/completions` without streaming.

    With `functions` a call is told as `function_call`, as it was before there were tools.
    """
    choices = [
        {
            "index": index,
            "message": _message(answer, functions),
            "logprobs": chat_logprobs(answer.logprobs),
            "finish_reason": reason_of(answer.finish_reason, functions),
        }
        for index, answer in enumerate(answers)
    ]
    usages = [answer.usage for answer in answers]
    kept = {"metadata": dict(metadata)} if metadata is not None else {}
    return envelope.whole(choices, usage=usage_of([usages]), **kept, **made(prepared, usages))


def call_piece(call: CallDelta, functions: bool = False) -> dict[str, Any]:
    """Return the `delta` of a chunk with a piece of a call."""
    named = {} if call.id is None else {"name": call.name}
    function = {**named, "arguments": call.arguments}
    if functions:
        return {"function_call": function}
    head = {} if call.id is None else {"id": call.id, "type": "function"}
    return {"tool_calls": [{"index": call.call, **head, "function": function}]}


def reason_of(reason: str | None, functions: bool) -> str | None:
    """Return OpenAI's `finish_reason`."""
    return "function_call" if functions and reason == "tool_calls" else reason


def chat_logprobs(scores: Sequence[TokenLogprob]) -> dict[str, Any] | None:
    """Return the chat API's `logprobs`, or None when none were asked for."""
    if not scores:
        return None
    rows = [
        {
            **_scored(score.token, score.logprob, score.raw),
            "top_logprobs": [_scored(*other) for other in score.top],
        }
        for score in scores
    ]
    return {"content": rows, "refusal": None}


class Offsets:
    """Where each token of a continued text begins, in characters; some tokens are only a part of one."""

    def __init__(self, place: int = 0):
        self.place = place
        self._characters = codecs.getincrementaldecoder("utf-8")("replace")

    def of(self, score: TokenLogprob) -> int:
        """Return where the next token begins."""
        begins = self.place
        raw = score.token.encode() if score.raw is None else score.raw
        self.place += len(self._characters.decode(raw))
        return begins


def text_logprobs(
    scores: Sequence[TokenLogprob], offsets: Offsets, echoed: str = ""
) -> dict[str, Any] | None:
    """Return the completion API's `logprobs`, or None.

    `echoed` is a prompt that the text repeats: one row without a score, as it was read and not written.
    """
    if not scores and not echoed:
        return None
    blank: list[Any] = [None] if echoed else []
    return {
        "tokens": [*([echoed] if echoed else []), *(score.token for score in scores)],
        "token_logprobs": [*blank, *(score.logprob for score in scores)],
        "top_logprobs": [*blank, *(dict(score.top) for score in scores)],
        "text_offset": [*([0] if echoed else []), *(offsets.of(score) for score in scores)],
    }


def _message(answer: Answer, functions: bool) -> dict[str, Any]:
    content = None if answer.tool_calls and not answer.text else answer.text
    message: dict[str, Any] = {"role": "assistant", "content": content, "refusal": None}
    if answer.tool_calls and functions:
        message["function_call"] = answer.tool_calls[0]["function"]
    elif answer.tool_calls:
        message["tool_calls"] = list(answer.tool_calls)
    return message


def _scored(token: str, logprob: float, raw: bytes | None = None) -> dict[str, Any]:
    """Return a row; `bytes` is null where a token is a part of a character and its bytes are not known."""
    if raw is None and "\ufffd" not in token:
        raw = token.encode()
    return {"token": token, "logprob": logprob, "bytes": None if raw is None else list(raw)}
