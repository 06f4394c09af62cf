"""Cutting a text into sentences keeps every character."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from svc_translate.domain.sentences import MAX_SENTENCE_CHARS, join, split

TEXTS = st.one_of(
    st.text(max_size=300),
    st.text(alphabet="aZé .!?…\n\t,;\"')(1\r\u00a0", max_size=900),
)


def sentences(text: str) -> list[str]:
    return [part.text for part in split(text) if part.is_sentence]


@given(TEXTS)
def test_joining_the_parts_gives_the_text_back(text: str) -> None:
    assert "".join(part.text for part in split(text)) == text


@given(TEXTS)
def test_separators_stand_where_they_stood_whatever_the_sentences_become(text: str) -> None:
    parts = split(text)
    made = join(parts, {part.text: "<X>" for part in parts if part.is_sentence})
    expected = "".join("<X>" if part.is_sentence else part.text for part in parts)
    assert made == expected
    # What lies between lines is kept exactly.
    assert made.count("\n") == text.count("\n")


@given(TEXTS)
def test_sentences_are_short_have_letters_and_no_blank_at_the_ends(text: str) -> None:
    for sentence in sentences(text):
        assert len(sentence) <= MAX_SENTENCE_CHARS
        assert sentence == sentence.strip()
        assert any(char.isalpha() for char in sentence)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("Dr. Silva met Mr. Smith. They spoke.", ["Dr. Silva met Mr. Smith.", "They spoke."]),
        ("O Sr. João chegou. A Sra. Ana não.", ["O Sr. João chegou.", "A Sra. Ana não."]),
        ("It costs 3.5 euros. Yes.", ["It costs 3.5 euros.", "Yes."]),
        ('"Come!" she said. He came.', ['"Come!" she said.', "He came."]),
        ("um círculo vermelho", ["um círculo vermelho"]),
        ("A title\n\nA text.", ["A title", "A text."]),
        ("— Olá! — Tudo bem?", ["— Olá!", "— Tudo bem?"]),
        ("123 !!\n--", []),
    ],
)
def test_sentences_end_where_a_reader_ends_them(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


def test_a_long_sentence_is_cut_at_a_comma() -> None:
    first = "word " * 60 + "end,"
    made = sentences(first + " " + "more " * 60)
    assert made[0] == first
