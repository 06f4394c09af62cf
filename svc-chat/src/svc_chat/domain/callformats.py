"""Ways in which families of models write calls, as a whole text. Pure; nothing is ever guessed at.

- Hermes, Qwen (and the built-in model): `{"name": …, "arguments": {…}}` between marks (`tool_marks.py`);
- Llama 3: the same with "parameters", bare or after `<|python_tag|>`, several parted by `;`;
- Mistral: `[TOOL_CALLS]` and a list, or `[TOOL_CALLS]name[ARGS]{…}`; llama.cpp often leaves the mark out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Literal

LIST_MARK, PYTHON_MARK = "[TOOL_CALLS]", "<|python_tag|>"
_FIRST_KEYS = ("name", "type", "function", "parameters", "arguments", "id")
_BARE = re.compile(r'(?:\[\s*)?\{\s*"(\w*)("?)')
_NAMED = re.compile(r"\s*([\w.-]{1,64})\s*(?:\[CALL_ID\]\w+\s*)?(?:\[ARGS\])?\s*(?=\{)")
_BETWEEN = re.compile(r"[\s;,]*")
_DECODER = json.JSONDecoder()


@dataclass(frozen=True)
class WrittenCall:
    """A call that a model wrote; `arguments` is a JSON text."""

    name: str
    arguments: str


def as_call(value: Any, names: AbstractSet[str]) -> WrittenCall | None:
    """Return the call that a JSON value stands for, or None when it is none of the tools `names`."""
    if isinstance(value, dict) and isinstance(value.get("function"), dict):
        value = value["function"]
    if not isinstance(value, dict):
        return None
    name = value.get("name", value.get("function"))
    arguments = value.get("arguments", value.get("parameters", {}))
    if not isinstance(name, str) or name not in names:
        return None
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments)
        except ValueError:
            return None
    if not isinstance(arguments, dict):
        return None
    return WrittenCall(name, json.dumps(arguments, ensure_ascii=False))


def calls_of(text: str, names: AbstractSet[str]) -> list[WrittenCall] | None:
    """Read a text that is nothing but calls, in Llama's or Mistral's way; None when it is anything else."""
    text = text.strip().removeprefix(PYTHON_MARK)
    parts = text.split(LIST_MARK) if LIST_MARK in text else [text]
    found: list[WrittenCall] = []
    for part in parts:
        calls = _part(part.strip(), names) if part.strip() else []
        if calls is None:
            return None
        found += calls
    return found or None


def may_begin_call(text: str) -> Literal["yes", "no", "later"]:
    """Say whether an answer that begins like `text` may be nothing but a call."""
    match = _BARE.match(text)
    if match is None:
        begins = re.fullmatch(r'(\[\s*)?(\{\s*)?"?', text)
        return "later" if begins else "no"
    key, ended = match.groups()
    if ended:
        return "yes" if key in _FIRST_KEYS else "no"
    whole = match.end() == len(text)
    return "later" if whole and any(first.startswith(key) for first in _FIRST_KEYS) else "no"


def _part(text: str, names: AbstractSet[str]) -> list[WrittenCall] | None:
    named = _NAMED.match(text)
    found, place = [], 0
    while place < len(text):
        try:
            value, place = _DECODER.raw_decode(text, named.end() if named else place)
        except (ValueError, RecursionError):
            return None
        values = value if isinstance(value, list) else [value]
        if named:
            values = [{"name": named[1], "arguments": value}]
        calls = [as_call(item, names) for item in values]
        if None in calls:
            return None
        found += [call for call in calls if call is not None]
        place = _BETWEEN.match(text, place).end()  # type: ignore[union-attr]
        named = None
    return found
