"""Which model translates what."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from servicekit.errors import ServiceError
from servicekit.timing import Timing
from svc_translate.domain.translation import Limits, Translation, TranslationService
from svc_translate.engine.base import Pair
from svc_translate.engine.fake import FakeDetector, FakeEngine
from svc_translate.engine.folders import MarianFolder, words_of


def mini() -> FakeEngine:
    return FakeEngine("mini", general=False, builtin=True)


async def ask(engines: Sequence[FakeEngine], text: str, **options: str) -> Translation:
    service = TranslationService(engines, FakeDetector())
    (made,) = await service.translate([text], "en", "pt", timing=Timing(), **options)
    return made


async def test_the_built_in_model_answers_for_the_words_it_knows() -> None:
    made = await ask([mini(), FakeEngine("general")], "a red circle")
    assert made.models == ("mini",)
    assert made.warnings == ()


async def test_a_general_model_takes_what_lies_outside() -> None:
    made = await ask([mini(), FakeEngine("general")], "a red dog")
    assert made.models == ("general",)
    assert made.warnings == ()


async def test_each_sentence_goes_to_its_own_model() -> None:
    made = await ask([mini(), FakeEngine("general")], "A red circle. The dog.\nA blue square.")
    assert made.models == ("mini", "general")
    assert made.text == "um vermelho círculo. <The> <dog>.\num azul quadrado."


async def test_without_a_general_model_the_answer_carries_a_warning() -> None:
    made = await ask([mini()], "a red dog")
    assert made.models == ("mini",)
    assert "mini" in made.warnings[0]


async def test_a_model_named_is_the_one_that_answers() -> None:
    inside = await ask([mini(), FakeEngine("general")], "a red circle", model="general")
    assert inside.models == ("general",)
    outside = await ask([mini(), FakeEngine("general")], "a red dog", model="mini")
    assert outside.models == ("mini",)
    assert outside.warnings


async def test_what_the_small_model_is_unsure_of_goes_to_a_general_one() -> None:
    small = FakeEngine("mini", general=False, builtin=True, unsure_of=frozenset({"A red square."}))
    made = await ask([small, FakeEngine("general")], "A red circle. A red square.")
    assert made.models == ("mini", "general")
    assert made.warnings == ()


async def test_what_the_small_model_is_unsure_of_carries_a_warning_when_nobody_else_is_there() -> None:
    small = FakeEngine("mini", general=False, builtin=True, unsure_of=frozenset({"A red square."}))
    made = await ask([small], "A red circle. A red square.")
    assert made.models == ("mini",)
    assert made.warnings[0].startswith("1 sentence")


async def test_a_sentence_that_comes_twice_is_translated_once() -> None:
    engine = FakeEngine()
    await ask([engine], "A circle. A circle.\nA circle.")
    assert engine.calls == [("fake", Pair("en", "pt"), ("A circle.",))]


async def test_a_text_without_words_comes_back_as_it_is() -> None:
    engine = FakeEngine()
    made = await ask([engine], "123 -- 45")
    assert made.text == "123 -- 45"
    assert engine.calls == []


async def test_the_limit_counts_all_texts_together() -> None:
    service = TranslationService([FakeEngine()], FakeDetector(), Limits(max_chars=10))
    with pytest.raises(ServiceError, match="12 characters, the limit is 10"):
        await service.translate(["abcdef", "ghijkl"], "en", "pt", timing=Timing())


def test_a_built_in_model_covers_a_sentence_only_when_it_knows_every_word() -> None:
    folder = MarianFolder(
        "m", Pair("en", "pt"), Path(), words=frozenset({"a", "red", "mother-in-law", "don't"})
    )
    assert folder.covers("A red mother-in-law!")
    assert folder.covers("don’t")
    assert not folder.covers("a green one")
    assert not folder.covers("a red 7")
    assert words_of("Don’t, 3 cafés") == ["don't", "3", "cafés"]
