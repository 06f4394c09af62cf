"""Function calling: which tools a model sees, whether it must call one, and the schema of such a call.

Pure; knows no engine. `callreader.py` reads the calls out of what the model wrote.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from servicekit.errors import BadRequest
from svc_chat.domain.schemas import embedded
from svc_chat.engine.base import Repetition
from svc_chat.tool_marks import CLOSE, OPEN

MAX_CALLS = 8
"""Calls of one answer when some are forced: a small model would go on for ever."""

Tool = Mapping[str, Any]


@dataclass(frozen=True)
class ToolPlan:
    """What is asked of the model: the tools it sees, and whether it must call one."""

    tools: tuple[Tool, ...] = ()
    forced: tuple[str, ...] = ()
    """Names of which one must be called; empty: the model may choose not to."""
    parallel: bool = True
    """Whether one answer may hold several calls."""

    @property
    def names(self) -> frozenset[str]:
        """Names of the tools that may be called."""
        return frozenset(self.forced or map(_name, self.tools))

    @property
    def answer_prefix(self) -> str:
        """Text that the answer starts with when a call is forced."""
        return f"{OPEN}\n" if self.forced else ""

    @property
    def stop(self) -> tuple[str, ...]:
        """Strings that end the answer: the end of the first call when there may be only one."""
        return (CLOSE,) if self.tools and not self.parallel else ()

    @property
    def schema(self) -> dict[str, Any] | None:
        """JSON schema of a forced call, None when free."""
        return self._any_call() if self.forced else None

    @property
    def free_schema(self) -> dict[str, Any] | None:
        """JSON schema of a call that the model makes by itself, None when there are no tools or it is forced."""
        return self._any_call() if self.tools and not self.forced else None

    def _any_call(self) -> dict[str, Any]:
        calls, definitions = [], {}
        for index, tool in enumerate(self.tools):
            if _name(tool) in self.names:
                call, own = _call_schema(tool["function"], index)
                calls.append(call)
                definitions.update(own)
        schema = calls[0] if len(calls) == 1 else {"anyOf": calls}
        return {**schema, "$defs": definitions} if definitions else schema

    @property
    def repetition(self) -> Repetition | None:
        """How several forced calls follow one another; None when there is to be one."""
        if not self.forced or not self.parallel:
            return None
        return Repetition(f"\n{CLOSE}\n{OPEN}\n", f"\n{CLOSE}", MAX_CALLS)


def plan(tools: Sequence[Tool], choice: str | Mapping[str, Any] | None, *, parallel: bool = True) -> ToolPlan:
    """Decide from OpenAI's `tools`, `tool_choice` and `parallel_tool_calls`.

    A named function is called once, whatever `parallel` says.

    Raises:
        BadRequest: the choice names no tool, or needs tools that were not sent, or two have one name.
    """
    names = [_name(tool) for tool in tools]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise BadRequest(f"Two tools are named '{twice}'. Give each a name of its own.", param="tools")
    if choice in (None, "auto"):
        return ToolPlan(tuple(tools), (), parallel)
    if choice == "none":
        return ToolPlan()
    if choice == "required":
        if not names:
            raise BadRequest("tool_choice is 'required' but no tools were sent.", param="tool_choice")
        return ToolPlan(tuple(tools), tuple(names), parallel)
    kind = choice.get("type") if isinstance(choice, Mapping) else None
    if isinstance(choice, Mapping) and kind == "allowed_tools":
        return _allowed(tools, choice.get("allowed_tools", choice), parallel)
    if isinstance(choice, Mapping) and kind == "function":
        return ToolPlan(tuple(tools), (_known(_chosen(choice), names),), False)
    raise BadRequest(
        "tool_choice must be 'none', 'auto', 'required', {'type': 'function', 'function': {'name': …}} or "
        "{'type': 'allowed_tools', 'allowed_tools': {'mode': …, 'tools': […]}}.",
        param="tool_choice",
    )


def _allowed(tools: Sequence[Tool], choice: Any, parallel: bool) -> ToolPlan:
    """Keep the tools that may be used this time; the model does not see the others."""
    listed = choice.get("tools") if isinstance(choice, Mapping) else None
    mode = choice.get("mode", "auto") if isinstance(choice, Mapping) else None
    if not isinstance(listed, list) or not listed or mode not in ("auto", "required"):
        raise BadRequest(
            "tool_choice.allowed_tools needs 'mode' ('auto' or 'required') and a list 'tools' of functions.",
            param="tool_choice",
        )
    names = [_name(tool) for tool in tools]
    wanted = {_known(_chosen(item), names) for item in listed}
    kept = tuple(tool for tool in tools if _name(tool) in wanted)
    forced = tuple(name for name in names if name in wanted) if mode == "required" else ()
    return ToolPlan(kept, forced, parallel)


def _chosen(choice: Any) -> Any:
    """Return the function's name; the Responses API has it beside the type, the chat API one level below."""
    if not isinstance(choice, Mapping):
        return None
    function = choice.get("function")
    return function.get("name") if isinstance(function, Mapping) else choice.get("name")


def _known(name: Any, names: Sequence[str]) -> str:
    if name not in names:
        raise BadRequest(
            f"tool_choice names '{str(name)[:60]}', which is not among the tools sent.", param="tool_choice"
        )
    return str(name)


def _name(tool: Tool) -> str:
    return str(tool["function"]["name"])


def _call_schema(function: Mapping[str, Any], index: int) -> tuple[dict[str, Any], dict[str, Any]]:
    parameters, definitions = embedded(
        function.get("parameters") or {"type": "object"},
        f"tool-{index}",
        f"tools.{index}.function.parameters",
    )
    call = {
        "type": "object",
        "properties": {"name": {"const": str(function["name"])}, "arguments": parameters},
        "required": ["name", "arguments"],
        "additionalProperties": False,
    }
    return call, definitions
