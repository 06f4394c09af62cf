"""Items of the Responses API: giving them ids, and reading them as the turns that a model sees.

An item is a dict as OpenAI writes it: a message, a function call or a function's result.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from servicekit.errors import BadRequest
from svc_chat.domain.conversation import composed
from svc_chat.engine.base import Message
from svc_chat.engine.history import Item

_PREFIX = {"message": "msg", "function_call": "fc", "function_call_output": "fco"}


def new_id(prefix: str) -> str:
    """Return an id that nobody can guess."""
    return f"{prefix}_{uuid.uuid4().hex}"


def with_ids(items: Iterable[Mapping[str, Any]]) -> tuple[Item, ...]:
    """Give each item an id of its own, also one that came with another: it may stand elsewhere already."""
    return tuple({**item, "id": new_id(_PREFIX[item["type"]])} for item in items)


def turns(items: Sequence[Item]) -> tuple[Message, ...]:
    """Return what a model reads for `items`; calls that follow one another are one turn.

    Raises:
        BadRequest: a function's result belongs to no call.
    """
    read: list[Message] = []
    called: set[str] = set()
    for item in items:
        if item["type"] == "function_call":
            called.add(item["call_id"])
            _add_call(read, item)
        elif item["type"] == "function_call_output":
            if item["call_id"] not in called:
                raise BadRequest(
                    f"No function call has the call_id '{str(item['call_id'])[:80]}'. Send the 'function_call' item "
                    "before its output, or name the response that made it as 'previous_response_id'.",
                    param="input",
                )
            content, images = _read(item["output"])
            read.append(Message("tool", content, tool_call_id=item["call_id"], images=images))
        else:
            content, images = _read(item["content"])
            read.append(Message(item["role"], content, images=images))
    return tuple(read)


def kept(output: Sequence[Item]) -> tuple[Item, ...]:
    """Return what of an answer a conversation keeps: no empty message, no half function call."""
    return tuple(
        item
        for item in output
        if (item["type"] == "message" and _read(item["content"])[0])
        or (item["type"] == "function_call" and item["status"] == "completed")
    )


def _add_call(read: list[Message], item: Item) -> None:
    call = {
        "id": item["call_id"],
        "type": "function",
        "function": {"name": item["name"], "arguments": item["arguments"]},
    }
    if read and read[-1].role == "assistant":
        read[-1] = replace(read[-1], tool_calls=(*read[-1].tool_calls, call))
    else:
        read.append(Message("assistant", "", tool_calls=(call,)))


def _read(content: str | Sequence[Mapping[str, Any]]) -> tuple[str, tuple[str, ...]]:
    """Return a Message's content and pictures."""
    if isinstance(content, str):
        return content, ()
    images = [part["image_url"] for part in content if part["type"] == "input_image"]
    texts = [part.get("text", part.get("refusal")) for part in content]
    return composed(texts, images) if images else ("\n".join(text or "" for text in texts), ())
