"""From what a caller sends to the messages that a model reads: personas, system instructions, pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from servicekit.errors import BadRequest
from svc_chat.engine.base import PICTURE_PLACE, Message, Persona

ROLES = ("system", "developer", "user", "assistant", "tool")


def instruction(persona: Persona) -> str:
    """Return the system instruction that makes the model speak as `persona`."""
    parts = [f"You are {persona.name}.", persona.description.strip(), persona.instructions.strip()]
    return "\n".join(part for part in parts if part)


def with_persona(messages: Sequence[Message], persona: Persona | None) -> tuple[Message, ...]:
    """Put the persona's instruction before the caller's own; two system turns become one."""
    turns = [replace(m, role="system") if m.role == "developer" else m for m in messages]
    system = [m.content for m in turns if m.role == "system"]
    rest = [m for m in turns if m.role != "system"]
    if not rest:
        raise BadRequest("'messages' needs at least one message that is not 'system'.", param="messages")
    if persona is not None:
        system.insert(0, instruction(persona))
    head = [Message("system", "\n\n".join(system))] if system else []
    return (*head, *rest)


def single_turn(user_input: str, system_prompt: str = "") -> tuple[Message, ...]:
    """Return the messages of a call that has one question and perhaps one instruction."""
    head = (Message("system", system_prompt),) if system_prompt.strip() else ()
    return (*head, Message("user", user_input))


def composed(texts: Sequence[str | None], images: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """Return a Message's `content` and `images`; None among `texts` stands for the next of `images`."""
    lines = [PICTURE_PLACE if text is None else text.replace(PICTURE_PLACE, "") for text in texts]
    return "\n".join(lines), tuple(images)


def told(message: Message, descriptions: Sequence[str]) -> Message:
    """Return the message with its pictures in words, each as `[image: …]` where it stood."""
    words = [f"[image: {text}]" for text in descriptions]
    content = message.content
    if content.count(PICTURE_PLACE) == len(words):
        for word in words:
            content = content.replace(PICTURE_PLACE, word, 1)
    else:
        content = "\n".join([content, *words]) if content else "\n".join(words)
    return replace(message, content=content, images=())
