"""What the conversations say: distinct, repeatable, and as many tokens as asked for. Knows no server."""

from __future__ import annotations

import random
from dataclasses import dataclass

from tests.bench.chat.vocabulary import SYLLABLES

TEMPLATE_TOKENS = 14
"""About what ChatML adds to one question: its markers and the names of the roles, written in loose letters."""


@dataclass(frozen=True)
class Sampling:
    """How answers are written; the same for every server."""

    temperature: float
    max_tokens: int
    top_k: int = 40
    top_p: float = 0.95
    min_p: float = 0.05


Conversation = list[dict[str, str]]


def words(count: int, *key: float | str) -> str:
    """Return `count` words, one token each, the same for the same `key`; the text begins with a space."""
    chooser = random.Random(repr(key))
    return "".join(f" {chooser.choice(SYLLABLES)}{chooser.choice(SYLLABLES)}" for _ in range(count))


def question(tokens: int, *key: float | str) -> Conversation:
    """Return a conversation of one question whose prompt is about `tokens` long."""
    return [{"role": "user", "content": words(max(1, tokens - TEMPLATE_TOKENS), *key)}]


def next_turn(conversation: Conversation, answer: str, tokens: int, *key: float | str) -> Conversation:
    """Return the conversation with the answer it got and a further question."""
    return [*conversation, {"role": "assistant", "content": answer}, *question(tokens, *key)]


def as_chatml(conversation: Conversation) -> str:
    """Return the prompt that the model's template makes of a conversation."""
    turns = "".join(f"<|im_start|>{turn['role']}\n{turn['content']}<|im_end|>\n" for turn in conversation)
    return turns + "<|im_start|>assistant\n"
