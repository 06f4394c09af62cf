"""Which language a text is in."""

import pytest

from servicekit.errors import ServiceError
from svc_translate.domain.languages import detect, normalise
from svc_translate.engine.fake import FakeDetector
from svc_translate.engine.lingua_detector import LinguaDetector


@pytest.fixture(scope="module")
def lingua() -> LinguaDetector:
    return LinguaDetector()


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("um círculo vermelho", "pt"),
        ("um circulo azul", "pt"),
        ("um quadrado azul", "pt"),
        ("três anéis azuis", "pt"),
        ("uma estrela", "pt"),
        ("bom dia", "pt"),
        ("olá", "pt"),
        ("obrigado", "pt"),
        ("O menino foi à escola com a mãe.", "pt"),
        ("um círculo vermelho grande sobre um fundo azul", "pt"),
        ("a red circle", "en"),
        ("two stars", "en"),
        ("big ring", "en"),
        ("hello", "en"),
        ("thanks", "en"),
        ("The boy went to school with his mother.", "en"),
        ("a large red circle on a blue background", "en"),
        ("un círculo rojo", "es"),
        ("El perro está en la casa", "es"),
        ("une étoile bleue", "fr"),
    ],
)
def test_short_texts_have_the_right_language(text: str, language: str, lingua: LinguaDetector) -> None:
    assert detect(text, lingua)[0].language == language


def test_the_same_text_always_gives_the_same_answer(lingua: LinguaDetector) -> None:
    assert detect("bom dia", lingua) == detect("bom dia", LinguaDetector())


def test_shares_add_up_to_one() -> None:
    assert sum(guess.confidence for guess in detect("um gato", FakeDetector())) == pytest.approx(1, abs=0.01)


def test_a_text_without_letters_has_no_language() -> None:
    assert detect("12 + 3 = 15!", FakeDetector()) == []


@pytest.mark.parametrize(
    ("code", "short"), [("pt-BR", "pt"), ("pt_br", "pt"), ("pb", "pt"), ("EN", "en"), (" en-US ", "en")]
)
def test_codes_are_read_as_people_write_them(code: str, short: str) -> None:
    assert normalise(code, frozenset({"en", "pt"}), param="source") == short


def test_an_unknown_code_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(ServiceError, match="en, pt"):
        normalise("xx", frozenset({"en", "pt"}), param="source")
