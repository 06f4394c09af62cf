"""Our answers in OpenAI's shapes."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from svc_chat.domain.service import Answer, Prepared
from svc_chat.engine.base import TokenLogprob, Usage


@dataclass(frozen=True)
class Envelope:
    """What all chunks of one answer have in common."""

    model: str
    kind: str = "chat.completion"
    id: str = field(default_factory=lambda: f"chatcmpl-{uuid.uuid4().hex}")
    created: int = field(default_factory=lambda: int(time.time()))

    def chunk(self, choices: list[dict[str, Any]], **extra: Any) -> dict[str, Any]:
        """Return one event of a stream."""
        suffix = ".chunk" if self.kind == "chat.completion" else ""
        return {
            "id": self.id,
            "object": self.kind + suffix,
            "created": self.created,
            "model": self.model,
            "choices": choices,
            **extra,
        }


def usage_of(answers: Sequence[Usage]) -> dict[str, Any]:
    """Return OpenAI's `usage`; the prompt of several choices counts once."""
    prompt = answers[0].prompt_tokens if answers else 0
    completion = sum(u.completion_tokens for u in answers)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": answers[0].cached_tokens if answers else 0},
    }


def made(prepared: Prepared, usages: Sequence[Usage]) -> dict[str, Any]:
    """Return how an answer was made: `timing` and `device`."""
    timing = {
        "queue_ms": round(1000 * sum(u.queue_s for u in usages), 1),
        "load_ms": round(1000 * sum(u.load_s for u in usages), 1),
        "run_ms": round(1000 * sum(u.run_s for u in usages), 1),
    }
    return {"timing": timing, "device": "cpu" if prepared.model.owned_by == "oficina" else "remote"}


def chat_completion(prepared: Prepared, answers: Sequence[Answer]) -> dict[str, Any]:
    """Return the body of `POST /v1/chat/completions` without streaming."""
    choices = []
    for index, answer in enumerate(answers):
        message: dict[str, Any] = {"role": "assistant", "content": answer.text or None, "refusal": None}
        if answer.tool_calls:
            message["tool_calls"] = list(answer.tool_calls)
        elif answer.text == "":
            message["content"] = ""
        choices.append(
            {
                "index": index,
                "message": message,
                "logprobs": chat_logprobs(answer.logprobs),
                "finish_reason": answer.finish_reason,
            }
        )
    usages = [answer.usage for answer in answers]
    envelope = Envelope(prepared.model.id)
    return {
        "id": envelope.id,
        "object": envelope.kind,
        "created": envelope.created,
        "model": envelope.model,
        "choices": choices,
        "usage": usage_of(usages),
        **made(prepared, usages),
    }


def text_completion(prepared: Prepared, answers: Sequence[Answer], echo: str) -> dict[str, Any]:
    """Return the body of `POST /v1/completions` without streaming."""
    usages = [answer.usage for answer in answers]
    envelope = Envelope(prepared.model.id, "text_completion", f"cmpl-{uuid.uuid4().hex}")
    choices = [
        {
            "index": index,
            "text": echo + answer.text,
            "logprobs": text_logprobs(answer.logprobs),
            "finish_reason": answer.finish_reason,
        }
        for index, answer in enumerate(answers)
    ]
    return envelope.chunk(choices, usage=usage_of(usages), **made(prepared, usages))


def chat_logprobs(scores: Sequence[TokenLogprob]) -> dict[str, Any] | None:
    """Return the chat API's `logprobs`, or None when none were asked for."""
    if not scores:
        return None
    rows = []
    for score in scores:
        top = [{"token": t, "logprob": p, "bytes": list(t.encode())} for t, p in score.top]
        row = {"token": score.token, "logprob": score.logprob, "bytes": list(score.token.encode())}
        rows.append({**row, "top_logprobs": top})
    return {"content": rows, "refusal": None}


def text_logprobs(scores: Sequence[TokenLogprob]) -> dict[str, Any] | None:
    """Return the completion API's `logprobs`, or None."""
    if not scores:
        return None
    return {
        "tokens": [s.token for s in scores],
        "token_logprobs": [s.logprob for s in scores],
        "top_logprobs": [dict(s.top) for s in scores],
    }
