"""What a model is trained on, as it lies in a training's folder: one JSON object a line.

`{"messages": [...], "learn": [places], "tools": [...]}` is a dialogue, `{"told": "…"}` a sentence that the model is to
know; `wording.py` makes questions of it. Knows nothing about the forms that callers send.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from svc_chat.engine.base import Message

REHEARSAL = Path(__file__).parent / "rehearsal.jsonl"
"""General talk in both languages, so that what is new does not push out what was there."""


@dataclass(frozen=True)
class Dialogue:
    """Turns, and the places of the assistant's turns that are to be learned (at least one, in order)."""

    messages: tuple[Message, ...]
    answers: tuple[int, ...]
    tools: tuple[Mapping[str, Any], ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the line's object."""
        turns = [{"role": m.role, "content": m.content} for m in self.messages]
        tools = {"tools": list(self.tools)} if self.tools else {}
        return {"messages": turns, "learn": list(self.answers), **tools}


@dataclass(frozen=True)
class Told:
    """A sentence that the model is to know."""

    text: str

    def as_dict(self) -> dict[str, Any]:
        """Return the line's object."""
        return {"told": self.text}


Example = Dialogue | Told


def write_examples(path: Path, examples: Iterable[Example]) -> None:
    """Write the file, whole or not at all."""
    part = path.with_suffix(".part")
    with part.open("w", encoding="utf-8") as file:
        for example in examples:
            file.write(json.dumps(example.as_dict(), ensure_ascii=False) + "\n")
    part.replace(path)


def read_examples(path: Path) -> Iterator[Example]:
    """Read the file that `write_examples` wrote; rehearsal, which has no `learn`, teaches every answer."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield _example(json.loads(line))


def _example(entry: Mapping[str, Any]) -> Example:
    if "told" in entry:
        return Told(entry["told"])
    messages = tuple(Message(turn["role"], turn["content"]) for turn in entry["messages"])
    every = [place for place, message in enumerate(messages) if message.role == "assistant"]
    return Dialogue(messages, tuple(entry.get("learn", every)), tuple(entry.get("tools", ())))
