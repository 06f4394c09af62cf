"""The committed text miniatures still do what their cards say, on dialogues and held-out sentences."""

from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
CHAT = REPOSITORY / "svc-chat" / "models" / "oficina-chat" / "oficina-chat.gguf"
TRANSLATORS = REPOSITORY / "svc-translate" / "models"

pytestmark = pytest.mark.model


def test_the_chat_model_passes_as_many_dialogues_as_its_card_says() -> None:
    from miniatures.text.chat_score import run

    outcome = run(CHAT)
    assert sum(outcome.total.values()) == 100
    # A little under the card: another build of llama.cpp may round another way.
    assert sum(outcome.right.values()) >= 60
    assert outcome.right["stack"] >= 12


@pytest.mark.parametrize(("source", "name"), [("en", "en-pt"), ("pt", "pt-en")])
def test_held_out_sentences_are_translated_exactly(source: str, name: str) -> None:
    from miniatures.text.translate_score import score

    measured = score(TRANSLATORS / name, source, count=80)
    assert measured.known
    assert measured.scene >= 92
    assert measured.everyday >= 84
