"""How a text is said, for voices that read phonemes."""

from __future__ import annotations

import pytest

from svc_tts.engine.espeak_library import EspeakLibrary
from svc_tts.engine.phonemes import for_kokoro, for_piper, with_marks

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def library() -> EspeakLibrary:
    return EspeakLibrary()


def test_marks_stay_where_they_stood(library: EspeakLibrary) -> None:
    said = with_marks("Olá, mundo! Ela disse: “bom dia” — e saiu (hoje)…", "pt-br", library)
    assert "".join(char for char in said if char in ",!:“”—()…") == ",!:“”—()…"
    assert ", " in said and "! " in said and " — " in said and " (" in said
    assert not said.startswith(" ") and not said.endswith(" ")


def test_numbers_are_said_whole(library: EspeakLibrary) -> None:
    assert "," not in with_marks("custa 3,50 hoje", "pt-br", library)
    assert with_marks("It costs 3.5.", "en-us", library).endswith(".")
    assert with_marks("10:30", "pt-br", library) == library.phonemes("10:30", "pt-br")


def test_a_foreign_word_leaves_no_sign_of_the_change_of_language(library: EspeakLibrary) -> None:
    assert "(" not in with_marks("o software é livre", "pt-br", library)


@pytest.mark.parametrize("text", ["", "   ", "...", "😀", "\0", "a\0b", "\n"])
def test_odd_texts_do_no_harm(text: str, library: EspeakLibrary) -> None:
    assert isinstance(for_kokoro(text, "pt-br", library), str)
    assert isinstance(for_piper(text, "pt-br", library), list)


@pytest.mark.parametrize(
    ("text", "voice", "wanted"),
    [
        ("bom dia", "pt-br", "bˈoŋ ʤˈiæ"),
        ("my child", "en-us", "mI ʧˈIld"),
        ("today", "en-us", "tədˈA"),
        ("go", "en-us", "ɡˈO"),
        ("go", "en-gb", "ɡˈQ"),
    ],
)
def test_kokoro_gets_the_letters_of_its_own_frontend(
    text: str, voice: str, wanted: str, library: EspeakLibrary
) -> None:
    assert for_kokoro(text, voice, library) == wanted


def test_piper_gets_accents_apart_from_their_letters(library: EspeakLibrary) -> None:
    said = for_piper("não", "pt-br", library)
    assert "\u0303" in said
    assert all(len(one) == 1 for one in said)
