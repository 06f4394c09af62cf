"""Dialogues into tokens: what is learned is what is served, to the end of the answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from svc_chat.engine.base import Message
from svc_chat.engine.llama_backend import LlamaBackend
from svc_chat.engine.tuning.encode import Encoder
from svc_chat.engine.tuning.examples import Dialogue

pytestmark = pytest.mark.model
BUILTIN = Path(__file__).resolve().parents[1] / "models" / "oficina-chat" / "oficina-chat.gguf"
TURNS = (
    Message("user", "A que horas abre a oficina?"),
    Message("assistant", "Às 7 horas."),
    Message("user", "E quando fecha?"),
    Message("assistant", "Às 18 horas."),
)


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder(BUILTIN)


def test_an_answer_is_learned_with_the_end_that_the_template_gives_it(encoder: Encoder) -> None:
    encoded = encoder.encode(Dialogue(TURNS[:2], (1,)))
    assert encoder._shown(encoded.tokens[-1]) == "<|im_end|>"
    assert encoded.learned[-1]


def test_an_answer_ends_where_the_next_turn_begins(encoder: Encoder) -> None:
    one = encoder.encode(Dialogue(TURNS[:2], (1,)))
    both = encoder.encode(Dialogue(TURNS, (1, 3)))
    assert both.tokens[: len(one.tokens)] == one.tokens
    assert sum(both.learned) > sum(one.learned), "both answers are learned"


def test_the_end_that_is_learned_ends_an_answer_that_is_served(encoder: Encoder) -> None:
    backend = LlamaBackend(BUILTIN, context_tokens=64, cache_bytes=64 << 20, threads=1, sequences=1)
    try:
        assert backend.is_end(encoder.end)
    finally:
        backend.close()
