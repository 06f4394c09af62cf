"""Clauses hold every word, in order, within their limits."""

from hypothesis import given
from hypothesis import strategies as st

from svc_tts.domain.clauses import FIRST_CHARS, PIECE_CHARS, clauses


@given(st.text(alphabet="ab cdé.,;:!?\n–", max_size=600))
def test_no_word_is_lost(text: str) -> None:
    assert "".join("".join(clauses(text)).split()) == "".join(text.split())


@given(st.text(alphabet="abcdef ,.", max_size=1500))
def test_pieces_are_short_enough_and_never_empty(text: str) -> None:
    pieces = clauses(text)
    assert all(piece.strip() for piece in pieces)
    assert all(len(piece) <= PIECE_CHARS for piece in pieces)
    assert not pieces or len(pieces[0]) <= FIRST_CHARS


def test_sentences_are_spoken_one_by_one() -> None:
    assert clauses("Bom dia! Tudo bem? Sim.") == ["Bom dia!", "Tudo bem?", "Sim."]
