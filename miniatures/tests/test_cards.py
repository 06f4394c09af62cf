"""A model card's head tells its model from every other."""

from __future__ import annotations

from pathlib import Path

import pytest

from miniatures.text.card_head import HEADS, Head

ROOT = Path(__file__).resolve().parents[2]
CARDS = sorted(ROOT.glob("svc-*/models/*/MODEL_CARD.md"))


def test_no_two_cards_have_one_title_or_one_head() -> None:
    texts = [card.read_text(encoding="utf-8") for card in CARDS]
    titles = [next(line for line in text.splitlines() if line.startswith("# ")) for text in texts]
    fronts = [text.split("---")[1] for text in texts if text.startswith("---")]
    assert len(titles) == len(set(titles)) == 7
    assert len(fronts) == len(set(fronts)) == len(HEADS)


@pytest.mark.parametrize("head", HEADS, ids=lambda head: head.name)
def test_a_card_has_the_head_that_the_next_training_will_write(head: Head) -> None:
    (card,) = [card for card in CARDS if card.parent.name == head.name]
    assert card.read_text(encoding="utf-8").startswith(f"{head}\n")
