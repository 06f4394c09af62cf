"""Marian engines on a tiny random model of the real format."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from svc_translate.engine.base import Pair
from svc_translate.engine.convert import converted
from svc_translate.engine.ct2 import CT2Translator, split_pieces
from svc_translate.engine.folders import MarianFolder
from svc_translate.engine.marian import TransformersTranslator
from svc_translate.engine.neural_engine import NeuralEngine
from svc_translate.engine.spec import convert

pytestmark = pytest.mark.model
EN_PT = Pair("en", "pt")


@pytest.fixture(scope="module")
def folder(tiny_marian: Callable[[str], Path]) -> MarianFolder:
    return MarianFolder("tiny", EN_PT, tiny_marian("tiny"), builtin=True)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ct2")


def test_a_model_is_converted_once_and_leaves_nothing_half_made(folder: MarianFolder, cache: Path) -> None:
    first = converted(folder, cache)
    stamp = (first / "model.bin").stat().st_mtime_ns
    assert converted(folder, cache) == first
    assert (first / "model.bin").stat().st_mtime_ns == stamp
    assert [entry.name for entry in cache.iterdir()] == [first.name]


def test_ctranslate2_and_transformers_agree_on_greedy_output(folder: MarianFolder, cache: Path) -> None:
    sentences = ["a red circle", "two large green stars on a blue background"]
    quick = CT2Translator(folder, cache, beam=1).translate(sentences, EN_PT)
    plain = TransformersTranslator(folder, beam=1).translate(sentences, EN_PT)
    assert len(quick) == len(plain) == 2
    assert all(isinstance(text, str) and score <= 0 for text, score in quick + plain)


def test_concurrent_requests_come_back_to_those_who_asked(folder: MarianFolder, cache: Path) -> None:
    engine = NeuralEngine([folder], lambda f: CT2Translator(f, cache, beam=1))

    async def ask() -> list[tuple[str, ...]]:
        sentences = ["a red circle", "a blue square", "two stars"]
        jobs = [engine.translate("tiny", EN_PT, [sentence]) for sentence in sentences * 4]
        return [outcome.sentences for outcome in await asyncio.gather(*jobs)]

    try:
        answers = asyncio.run(ask())
        alone = [asyncio.run(engine.translate("tiny", EN_PT, ["a red circle"])).sentences]
    finally:
        engine.close()
    assert answers[0] == answers[3] == alone[0]


def test_our_converter_gives_what_ctranslate2s_own_gives(folder: MarianFolder, tmp_path: Path) -> None:
    import ctranslate2
    from ctranslate2.converters import TransformersConverter

    convert(folder.path, tmp_path / "ours")
    TransformersConverter(str(folder.path)).convert(str(tmp_path / "theirs"), quantization="int8")
    pieces = [["\u2581a", "\u2581red", "\u2581circle", "</s>"], ["\u2581a", "\u2581b", "</s>"]]
    made = [
        ctranslate2.Translator(str(tmp_path / name)).score_batch(pieces, [["\u2581um", "\u2581a"]] * 2)
        for name in ("ours", "theirs")
    ]
    ours, theirs = ([value for result in side for value in result.log_probs] for side in made)
    assert ours == pytest.approx(theirs, abs=1e-4)
    words = [(tmp_path / name / "shared_vocabulary.json").read_bytes() for name in ("ours", "theirs")]
    assert words[0] == words[1]


def test_a_sentence_longer_than_the_model_goes_in_parts_at_words() -> None:
    pieces = ["\u2581one", "\u2581tw", "o", "\u2581th", "ree"]
    assert split_pieces(pieces, 3) == [["\u2581one", "\u2581tw", "o"], ["\u2581th", "ree"]]
    assert split_pieces(["\u2581a", *"bcdef"], 4) == [["\u2581a", "b", "c", "d"], ["e", "f"]]
    assert split_pieces(pieces, 9) == [pieces]


def test_a_very_long_word_salad_still_answers(folder: MarianFolder, cache: Path) -> None:
    ((made, score),) = CT2Translator(folder, cache, beam=1).translate(["xyz " * 400], EN_PT)
    assert isinstance(made, str)
    assert score <= 0


def test_a_folder_with_missing_files_is_left_out(tmp_path: Path) -> None:
    engine = NeuralEngine([MarianFolder("gone", EN_PT, tmp_path)], lambda f: CT2Translator(f, tmp_path))
    assert engine.models == ()
