"""Function calling: asking for a call, and reading calls out of what the model wrote.

Models of the Qwen and Hermes families (and the built-in one) write
`<tool_call>{"name": …, "arguments": {…}}</tool_call>`. Pure; knows no engine.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from servicekit.errors import BadRequest

OPEN, CLOSE = "<tool_call>", "</tool_call>"
_CALL = re.compile(r"<tool_call>\s*(\{.*?\})\s*(?:</tool_call>|\Z)", re.DOTALL)

Tool = Mapping[str, Any]


@dataclass(frozen=True)
class ToolPlan:
    """What is asked of the model: the tools it sees, and whether it must call one."""

    tools: tuple[Tool, ...] = ()
    forced: tuple[str, ...] = ()
    """Names of which one must be called; empty: the model may choose not to."""

    @property
    def answer_prefix(self) -> str:
        """Text that the answer starts with when a call is forced."""
        return f"{OPEN}\n" if self.forced else ""

    @property
    def schema(self) -> dict[str, Any] | None:
        """JSON schema of a forced call, None when free."""
        if not self.forced:
            return None
        calls = [_call_schema(tool["function"]) for tool in self.tools if _name(tool) in self.forced]
        return calls[0] if len(calls) == 1 else {"anyOf": calls}


def plan(tools: Sequence[Tool], choice: str | Mapping[str, Any] | None) -> ToolPlan:
    """Decide from OpenAI's `tools` and `tool_choice`.

    Raises:
        BadRequest: the choice names no tool, or needs tools that were not sent.
    """
    names = tuple(_name(tool) for tool in tools)
    if choice in (None, "auto"):
        return ToolPlan(tuple(tools))
    if choice == "none":
        return ToolPlan()
    if choice == "required":
        if not names:
            raise BadRequest("tool_choice is 'required' but no tools were sent.", param="tool_choice")
        return ToolPlan(tuple(tools), names)
    wanted = (choice.get("function") or {}).get("name") if isinstance(choice, Mapping) else choice
    if wanted not in names:
        raise BadRequest(
            f"tool_choice names '{str(wanted)[:60]}', which is not among the tools sent.", param="tool_choice"
        )
    return ToolPlan(tuple(tools), (str(wanted),))


def read_calls(text: str) -> tuple[str, tuple[dict[str, Any], ...]]:
    """Split what the model wrote into plain text and calls in OpenAI's shape.

    A call that is not valid JSON stays in the text: it is never guessed at.
    """
    calls: list[dict[str, Any]] = []

    def take(found: re.Match[str]) -> str:
        try:
            written = json.loads(found.group(1))
            name, arguments = written["name"], written.get("arguments", {})
        except (ValueError, KeyError, TypeError):
            return found.group(0)
        if not isinstance(arguments, str):
            arguments = json.dumps(arguments, ensure_ascii=False)
        function = {"name": str(name), "arguments": arguments}
        calls.append({"id": f"call_{uuid.uuid4().hex[:24]}", "type": "function", "function": function})
        return ""

    rest = _CALL.sub(take, text)
    return (rest.strip() if calls else text), tuple(calls)


def _name(tool: Tool) -> str:
    return str(tool["function"]["name"])


def _call_schema(function: Mapping[str, Any]) -> dict[str, Any]:
    parameters = function.get("parameters") or {"type": "object"}
    return {
        "type": "object",
        "properties": {"name": {"const": function["name"]}, "arguments": parameters},
        "required": ["name", "arguments"],
        "additionalProperties": False,
    }
