"""Tools in plain text, for chat templates that know none: what they are, earlier calls, and their results.

The domain's call reader reads what these words ask for. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from svc_chat.engine.base import Message
from svc_chat.tool_marks import CLOSE, OPEN

_INTRODUCTION = f"""You can call functions. To call one, write its name and arguments as JSON between these marks, and nothing else:
{OPEN}
{{"name": "the function", "arguments": {{}}}}
{CLOSE}
What it returns comes in the next turn, between <tool_response> and </tool_response>.
The functions, one a line, with the JSON schema of their arguments as "parameters":"""


def shown(tool: Mapping[str, Any]) -> dict[str, Any]:
    """Return a tool with all that templates count on, and without what says nothing to a model."""
    told = {key: value for key, value in tool["function"].items() if key != "strict"}
    parameters = {"type": "object", "properties": {}, **(told.get("parameters") or {})}
    function = {"name": told["name"], "description": "", **told, "parameters": parameters}
    return {**tool, "function": function}


def described(tools: Sequence[Mapping[str, Any]]) -> str:
    """Return the words that tell a model of `tools`."""
    lines = [json.dumps(shown(tool)["function"], ensure_ascii=False) for tool in tools]
    return "\n".join([_INTRODUCTION, *lines])


def as_text(messages: Sequence[Message], tools: Sequence[Mapping[str, Any]]) -> list[Message]:
    """Return messages of the roles system, user and assistant alone, that say all the others said."""
    turns: list[Message] = []
    if tools:
        head = messages[0].content if messages and messages[0].role == "system" else ""
        turns.append(Message("system", f"{head}\n\n{described(tools)}".strip()))
        messages = messages[1:] if head or (messages and messages[0].role == "system") else messages
    for message in messages:
        if message.role == "tool":
            text = f"<tool_response>\n{message.content}\n</tool_response>"
            if turns and turns[-1].role == "user" and turns[-1].content.endswith("</tool_response>"):
                turns[-1] = replace(turns[-1], content=f"{turns[-1].content}\n{text}")
            else:
                turns.append(Message("user", text))
        elif message.tool_calls:
            calls = "\n".join(_written(call) for call in message.tool_calls)
            turns.append(Message(message.role, f"{message.content}\n{calls}".strip()))
        else:
            turns.append(message)
    return turns


def without_system(messages: Sequence[Message]) -> list[Message]:
    """Put the system's words at the head of the first user's turn."""
    head, rest = messages[0].content, list(messages[1:])
    first = next((place for place, message in enumerate(rest) if message.role == "user"), None)
    if first is None:
        return [Message("user", head), *rest]
    rest[first] = replace(rest[first], content=f"{head}\n\n{rest[first].content}")
    return rest


def _written(call: Mapping[str, Any]) -> str:
    function = call.get("function", {})
    arguments = function.get("arguments") or "{}"
    text = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    return f'{OPEN}\n{{"name": {json.dumps(function.get("name"))}, "arguments": {text}}}\n{CLOSE}'
