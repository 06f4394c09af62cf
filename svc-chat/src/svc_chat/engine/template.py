"""Chat templates: messages into the text that a model was trained on. Jinja's sandbox only.

A template comes from the model's file, so it is a stranger's program: it runs in the immutable
sandbox with limits, and text of users can never become one of the model's control tokens.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NoReturn

from svc_chat.engine.base import Message
from svc_chat.engine.template_limits import TooMuch
from svc_chat.engine.template_sandbox import BoundedSandbox
from svc_chat.engine.tool_text import as_text, shown, without_system
from svc_chat.errors import TemplateFailed

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""Used where a file holds no template of its own."""
MAX_TEMPLATE_CHARS = 200_000


class ChatTemplate:
    """One model's template, compiled once. Thread-safe."""

    def __init__(self, source: str, *, bos: str = "", eos: str = "", control_tokens: Sequence[str] = ()):
        if len(source) > MAX_TEMPLATE_CHARS:
            raise TemplateFailed("The model's chat template is too long to be trusted.")
        self._sandbox = BoundedSandbox()
        self._sandbox.add_filter("tojson", _tojson)
        self._sandbox.globals.update(raise_exception=_refuse, strftime_now=_now)
        try:
            self._template = self._sandbox.from_string(source)
        except Exception as error:  # a stranger's program may break the compiler in any way
            raise TemplateFailed("The model's chat template cannot be read.") from error
        self._bos, self._eos = bos, eos
        self._control = tuple(sorted((t for t in control_tokens if len(t) > 2), key=len, reverse=True))
        self.takes_tools = "tools" in source

    def render(self, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]] = ()) -> str:
        """Return the prompt, ready for the assistant's turn.

        A template that knows no tools gets them as text; one that knows no system turn gets it with the first
        user's.

        Raises:
            TemplateFailed: the template refuses these messages (two users in a row, say).
        """
        if not self.takes_tools:
            messages, tools = as_text(messages, tools), ()
        try:
            return self._rendered(messages, tools)
        except TemplateFailed:
            if not messages or messages[0].role != "system":
                raise
            return self._rendered(without_system(messages), tools)

    def _rendered(self, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]]) -> str:
        try:
            return self._sandbox.render(
                self._template,
                messages=[self._turn(message) for message in messages],
                tools=[self._harmless(shown(tool)) for tool in tools] or None,
                add_generation_prompt=True,
                bos_token=self._bos,
                eos_token=self._eos,
            )
        except TemplateFailed:
            raise
        except TooMuch as error:
            raise TemplateFailed(f"The model's chat template was stopped: {error}.") from error
        except Exception as error:  # a stranger's program may fail in any way
            raise TemplateFailed("The model's chat template refuses these messages.") from error

    def _turn(self, message: Message) -> dict[str, Any]:
        turn: dict[str, Any] = {"role": message.role, "content": self._neutral(message.content)}
        if message.name:
            turn["name"] = self._neutral(message.name)
        if message.tool_call_id:
            turn["tool_call_id"] = message.tool_call_id
        if message.tool_calls:
            turn["tool_calls"] = [self._harmless(_parsed_arguments(call)) for call in message.tool_calls]
        return turn

    def _harmless(self, value: Any) -> Any:
        """Break control tokens in all texts of a JSON value."""
        if isinstance(value, str):
            return self._neutral(value)
        if isinstance(value, Mapping):
            return {self._neutral(str(key)): self._harmless(part) for key, part in value.items()}
        return [self._harmless(part) for part in value] if isinstance(value, (list, tuple)) else value

    def _neutral(self, text: str) -> str:
        """Break control tokens that a user wrote, so that they stay plain text."""
        for token in self._control:
            if token in text:
                text = text.replace(token, f"{token[0]}\u200b{token[1:]}")
        return text


def _parsed_arguments(call: Mapping[str, Any]) -> dict[str, Any]:
    """Templates expect arguments as an object; OpenAI's clients send them as a JSON string."""
    function = dict(call.get("function", {}))
    if isinstance(function.get("arguments"), str):
        try:
            function["arguments"] = json.loads(function["arguments"])
        except ValueError:
            pass
    return {**call, "function": function}


def _tojson(value: Any, indent: int | None = None, **_: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _refuse(message: str) -> NoReturn:
    raise TemplateFailed(f"The model's chat template says: {str(message)[:200]}")


def _now(pattern: str) -> str:
    return datetime.now(UTC).strftime(str(pattern)[:100])
