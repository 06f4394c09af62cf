"""OpenAI's objects of the Assistants API, as they are made and as they are shown. Pure.

Keys that begin with `_` are our own: they are kept and shown to nobody.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from svc_chat.domain.items import new_id
from svc_chat.engine.base import Usage
from svc_chat.engine.threads import Body

NO_USAGE = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}


def shown(body: Any) -> Any:
    """Return an object without what is our own."""
    if isinstance(body, Mapping):
        return {key: shown(value) for key, value in body.items() if not key.startswith("_")}
    if isinstance(body, (list, tuple)):
        return [shown(item) for item in body]
    return body


def new_assistant(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return an assistant; `fields` are those that its caller chose."""
    return {
        "id": new_id("asst"),
        "object": "assistant",
        "created_at": int(time.time()),
        "name": None,
        "description": None,
        "instructions": None,
        "tools": [],
        "tool_resources": {},
        "metadata": {},
        "temperature": None,
        "top_p": None,
        "response_format": "auto",
        "reasoning_effort": None,
        **fields,
    }


def new_thread(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return a thread."""
    return {
        "id": new_id("thread"),
        "object": "thread",
        "created_at": int(time.time()),
        "metadata": {},
        "tool_resources": {},
        **fields,
    }


def new_message(thread_id: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return a message that a caller wrote; `fields` are `role`, `content` and what else it chose."""
    now = int(time.time())
    return {
        "id": new_id("msg"),
        "object": "thread.message",
        "created_at": now,
        "thread_id": thread_id,
        "status": "completed",
        "incomplete_details": None,
        "completed_at": now,
        "incomplete_at": None,
        "assistant_id": None,
        "run_id": None,
        "attachments": [],
        "metadata": {},
        **fields,
    }


def answer_message(run: Body, content: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """Return the message that a run begins to write."""
    return new_message(
        run["thread_id"],
        {
            "role": "assistant",
            "status": "in_progress",
            "completed_at": None,
            "assistant_id": run["assistant_id"],
            "run_id": run["id"],
            "content": list(content),
        },
    )


def new_step(run: Body, details: Mapping[str, Any]) -> dict[str, Any]:
    """Return a step of a run; `details` are its `step_details`."""
    return {
        "id": new_id("step"),
        "object": "thread.run.step",
        "created_at": int(time.time()),
        "run_id": run["id"],
        "assistant_id": run["assistant_id"],
        "thread_id": run["thread_id"],
        "type": details["type"],
        "status": "in_progress",
        "cancelled_at": None,
        "completed_at": None,
        "expired_at": None,
        "failed_at": None,
        "last_error": None,
        "metadata": {},
        "step_details": dict(details),
        "usage": None,
    }


def new_run(thread_id: str, life_s: float, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return a run that is queued."""
    now = int(time.time())
    return {
        "id": new_id("run"),
        "object": "thread.run",
        "created_at": now,
        "thread_id": thread_id,
        "status": "queued",
        "started_at": None,
        "expires_at": now + int(life_s),
        "cancelled_at": None,
        "failed_at": None,
        "completed_at": None,
        "required_action": None,
        "last_error": None,
        "incomplete_details": None,
        "usage": None,
        "metadata": {},
        **fields,
    }


def usage_json(usage: Usage | None) -> dict[str, int]:
    """Return OpenAI's `usage` of a run or a step."""
    if usage is None:
        return dict(NO_USAGE)
    read, wrote = usage.prompt_tokens, usage.completion_tokens
    return {"prompt_tokens": read, "completion_tokens": wrote, "total_tokens": read + wrote}


def added(one: Mapping[str, int] | None, other: Mapping[str, int]) -> dict[str, int]:
    """Return the sum of two usages."""
    return {name: (one or NO_USAGE)[name] + other[name] for name in NO_USAGE}


def text_part(value: str) -> dict[str, Any]:
    """Return a part of a message that is text."""
    return {"type": "text", "text": {"value": value, "annotations": []}}


def image_part(file_id: str) -> dict[str, Any]:
    """Return a part of a message that is a picture."""
    return {"type": "image_file", "image_file": {"file_id": file_id, "detail": "auto"}}


def text_of(message: Body) -> str:
    """Return a message's text."""
    return "\n".join(part["text"]["value"] for part in message["content"] if part["type"] == "text")
