"""Which language a text is in."""

import pytest

from servicekit.errors import ServiceError
from svc_translate.domain.languages import beyond, detect, normalise
from svc_translate.engine.fake import FakeDetector
from svc_translate.engine.language_codes import languages_in
from svc_translate.engine.lingua_detector import LinguaDetector
from svc_translate.engine.vocabulary import M2M100_LANGUAGES
from svc_translate.engine.wide_detector import WideDetector


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


@pytest.mark.parametrize(
    ("code", "known"),
    [("por_Latn", "pt"), ("eng-Latn", "en"), ("zho_Hant", "zh-Hant"), ("zh-TW", "zh-Hant"), ("zh-CN", "zh"),
     ("deu", "de"), ("ger", "de"), ("no", "nb"), ("ace_Arab", "ace-Arab"), ("CEB", "ceb")],
)  # fmt: skip
def test_codes_of_three_letters_and_scripts_are_read_too(code: str, known: str) -> None:
    there = frozenset({"en", "pt", "zh", "zh-Hant", "de", "nb", "ace", "ace-Arab", "ceb"})
    assert normalise(code, there, param="source") == known


def test_nllbs_tokens_become_codes_of_two_letters_and_keep_a_second_script_apart() -> None:
    tokens = [
        "ace_Arab",
        "ace_Latn",
        "arb_Arab",
        "arb_Latn",
        "por_Latn",
        "zho_Hans",
        "zho_Hant",
        "▁um",
        "__x",
    ]
    assert languages_in(tokens) == {
        "ace": "ace_Latn", "ace-Arab": "ace_Arab", "ar": "arb_Arab", "ar-Latn": "arb_Latn", "pt": "por_Latn",
        "zh": "zho_Hans", "zh-Hant": "zho_Hant",
    }  # fmt: skip


def test_all_of_nllbs_languages_have_codes_of_their_own() -> None:
    tokenizer = pytest.importorskip("transformers.models.nllb.tokenization_nllb")
    found = languages_in(tokenizer.FAIRSEQ_LANGUAGE_CODES)
    assert len(found) == len(tokenizer.FAIRSEQ_LANGUAGE_CODES) == 202
    assert all(normalise(token, frozenset(found), param="target") == code for code, token in found.items())


def test_m2m100s_languages_are_those_of_transformers() -> None:
    tokenizer = pytest.importorskip("transformers.models.m2m_100.tokenization_m2m_100")
    assert tokenizer.FAIRSEQ_LANGUAGE_CODES["m2m100"] == M2M100_LANGUAGES


def test_an_unknown_code_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(ServiceError, match="en, pt"):
        normalise("xx", frozenset({"en", "pt"}), param="source")


ALL = frozenset({"en", "pt", "es", "fr", "de", "it", "nl", "ru", "ja", "zh", "gl", "ca", "uk"})


@pytest.fixture(scope="module")
def wide() -> WideDetector:
    return WideDetector()


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Das Haus ist in Berlin und sehr groß.", "de"),
        ("een rode cirkel op een blauwe achtergrond", "nl"),
        ("La casa è grande e bella, ma costa troppo.", "it"),
        ("Дом большой", "ru"),
        ("これは赤い円です。", "ja"),
        ("这是一个红色的圆", "zh"),
    ],
)
def test_with_a_model_of_many_languages_other_languages_are_heard(
    text: str, language: str, wide: WideDetector
) -> None:
    found = beyond(text, wide, ALL)
    assert found is not None
    assert found.language == language
    assert beyond(text, wide, frozenset({"en", "pt", "es", "fr"})) is None


@pytest.mark.parametrize(
    "text",
    ["bom dia", "obrigado", "um círculo vermelho grande sobre um fundo azul", "segue em anexo o relatório", "thanks",
     "Uma casa portuguesa com certeza", "a red circle", "El perro está en la casa", "une étoile bleue", "Quero café",
     "Desenhe um gato preto com olhos verdes", "The boy went to school with his mother.", "12 + 3"],
)  # fmt: skip
def test_what_is_one_of_the_four_languages_stays_so(text: str, wide: WideDetector) -> None:
    assert beyond(text, wide, ALL) is None
