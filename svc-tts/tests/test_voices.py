"""Which voice a caller means."""

import pytest

from svc_tts.domain.voices import choose
from svc_tts.engine.base import Voice
from svc_tts.engine.language import LanguageDetector
from svc_tts.errors import VoiceNotFound

VOICES = [Voice(v, v, v.split("+")[0], "m") for v in ("pt-br", "pt-br+f4", "en-us", "es")]


def test_an_id_wins_over_the_language_of_the_text() -> None:
    assert choose(VOICES, "ES", None, lambda: "pt-br").id == "es"


def test_openais_names_are_timbres_of_the_spoken_language() -> None:
    assert choose(VOICES, "nova", None, lambda: "pt-br").id == "pt-br+f4"
    assert choose(VOICES, "nova", None, lambda: "en-us").id == "en-us"


def test_a_language_nobody_speaks_is_an_error_only_when_it_was_asked_for() -> None:
    assert choose(VOICES, None, None, lambda: "de").id == "pt-br"
    with pytest.raises(VoiceNotFound):
        choose(VOICES, None, "de", lambda: "pt-br")


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("um círculo vermelho", "pt-br"),
        ("segredo", "pt-br"),
        ("Olá!", "pt-br"),
        ("123", "pt-br"),
        ("hello", "en-us"),
        ("a red circle", "en-us"),
        ("good morning", "en-us"),
        ("buenos días, ¿cómo está?", "es"),
    ],
)
def test_the_language_of_a_text_is_heard(text: str, language: str) -> None:
    assert LanguageDetector("pt-br")(text) == language
