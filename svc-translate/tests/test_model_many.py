"""Models of many languages, on tiny random ones of the real formats: what is converted, and what comes out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from svc_translate.build import build_engines
from svc_translate.engine.base import Pair
from svc_translate.engine.convert import converted
from svc_translate.engine.ct2 import CT2Translator
from svc_translate.engine.folders import ManyFolder
from svc_translate.engine.pieces import pieces_of
from svc_translate.engine.spec import convert
from svc_translate.engine.vocabulary import shared_tokens, tokens_of
from svc_translate.recognizing import Repository, folder_of
from svc_translate.settings import Settings

pytestmark = pytest.mark.model
EN_PT = Pair("en", "pt")
SENTENCES = ("a red circle", "two large green stars on a blue background", "um anel")
LENGTH = 16


@pytest.fixture(scope="module", params=["m2m100", "nllb"])
def folder(request: pytest.FixtureRequest, tiny_many: Callable[[str], Path]) -> ManyFolder:
    found = folder_of(Repository(f"me/{request.param}", tiny_many(request.param), f"me/{request.param}"))
    assert isinstance(found, ManyFolder)
    return found


@pytest.fixture(scope="module")
def ready(folder: ManyFolder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return converted(folder, tmp_path_factory.mktemp("many"))


def test_its_languages_are_those_of_its_tokens(folder: ManyFolder) -> None:
    assert {"en", "pt", "de", "fr", "zh"} <= set(folder.tokens)
    if folder.tokens["pt"] == "por_Latn":
        assert (folder.tokens["zh"], folder.tokens["zh-Hant"]) == ("zho_Hans", "zho_Hant")
    else:
        assert folder.tokens["pt"] == "__pt__"
        assert len(folder.tokens) == 100


def test_ctranslate2_writes_what_transformers_writes(folder: ManyFolder, ready: Path) -> None:
    import ctranslate2
    import torch
    from transformers import M2M100ForConditionalGeneration

    tokens = shared_tokens(ready)
    ids = {token: i for i, token in enumerate(tokens)}
    model: Any = M2M100ForConditionalGeneration.from_pretrained(folder.path).eval()
    quick = ctranslate2.Translator(str(ready), compute_type="float32")
    pieces = pieces_of(folder)
    for sentence in SENTENCES:
        source = pieces.source(pieces.cut(sentence), EN_PT)
        with torch.inference_mode():
            made = model.generate(
                input_ids=torch.tensor([[ids.get(token, ids["<unk>"]) for token in source]]),
                forced_bos_token_id=ids[folder.tokens["pt"]], num_beams=1, do_sample=False, max_new_tokens=LENGTH,
            )[0].tolist()  # fmt: skip
        wanted = [tokens[i] for i in made[1:] if tokens[i] != "</s>"]
        (got,) = quick.translate_batch(
            [source], target_prefix=[pieces.begin(EN_PT)], beam_size=1, max_decoding_length=LENGTH
        )
        assert got.hypotheses[0] == wanted
        assert wanted[0] == folder.tokens["pt"]


def test_the_target_language_decides_and_stands_in_no_text(folder: ManyFolder, tmp_path: Path) -> None:
    translator = CT2Translator(folder, tmp_path, beam=2)
    made = {code: translator.translate([SENTENCES[1]], Pair("en", code))[0][0] for code in ("pt", "de", "fr")}
    assert len(set(made.values())) > 1
    assert not any(token in text for token in folder.tokens.values() for text in made.values())


def test_a_sentence_longer_than_the_model_goes_in_parts(folder: ManyFolder, tmp_path: Path) -> None:
    ((text, score),) = CT2Translator(folder, tmp_path, beam=1).translate(["a red circle " * 60], EN_PT)
    assert isinstance(text, str)
    assert score <= 0


def test_half_precision_weights_and_parts_of_a_file_are_read_too(
    folder: ManyFolder, ready: Path, tmp_path: Path
) -> None:
    import shutil

    from safetensors.numpy import load_file, save_file

    copy = tmp_path / "half"
    shutil.copytree(folder.path, copy, ignore=shutil.ignore_patterns("*.safetensors"))
    weights = {n: v.astype("float16") for n, v in load_file(str(folder.path / "model.safetensors")).items()}
    names = sorted(weights)
    for i, part in enumerate((names[::2], names[1::2]), start=1):
        save_file({name: weights[name] for name in part}, str(copy / f"model-0000{i}-of-00002.safetensors"))
    convert(copy, tmp_path / "made")
    assert shared_tokens(tmp_path / "made") == shared_tokens(ready)
    assert (tmp_path / "made" / "model.bin").stat().st_size == (ready / "model.bin").stat().st_size


def test_the_numbers_of_m2m100s_vocabulary_are_those_of_transformers_tokenizer(
    tiny_many: Callable[[str], Path],
) -> None:
    from transformers import M2M100Tokenizer

    path = tiny_many("m2m100")
    found = folder_of(Repository("me/m2m100", path, "me/m2m100"))
    tokenizer = M2M100Tokenizer(
        str(path / "vocab.json"), str(path / "sentencepiece.bpe.model"), src_lang="en"
    )
    tokens, pieces = tokens_of(path, {"model_type": "m2m_100"}, 1000), pieces_of(found)
    for sentence in SENTENCES:
        ids = [tokens.index(token) for token in pieces.source(pieces.cut(sentence), EN_PT)]
        assert ids == tokenizer(sentence)["input_ids"]


def test_nllbs_vocabulary_is_the_same_from_its_pieces_and_from_its_tokenizers_file(
    tiny_many: Callable[[str], Path],
) -> None:
    path = tiny_many("nllb")
    told = tokens_of(path, {"model_type": "m2m_100"}, 80)
    languages = [token for token in told if token.endswith(("_Latn", "_Hans", "_Hant"))]
    ids = {token: place for place, token in enumerate(told) if token not in languages}
    added = [{"content": token, "id": told.index(token)} for token in languages]
    (path / "tokenizer.json").write_text(json.dumps({"model": {"vocab": ids}, "added_tokens": added}))
    assert tokens_of(path, {"model_type": "m2m_100"}, 80) == told
    assert told[:5] == ["<s>", "<pad>", "</s>", "<unk>", told[4]]
    assert len(languages) == 6


def test_a_folder_on_the_machine_is_named_in_the_settings(folder: ManyFolder, tmp_path: Path) -> None:
    named = Settings(data_dir=tmp_path, apertium="off", extra_models=(f"mine=any={folder.path}",))
    (engine,) = build_engines(named)
    mine = next(model for model in engine.models if model.id == "mine")
    assert mine.goes(Pair("fr", "de"))
    assert not mine.goes(Pair("fr", "fr"))
    engine.close()


def test_a_setting_that_tells_no_direction_says_what_to_write(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="id=any=/folder"):
        build_engines(Settings(data_dir=tmp_path, extra_models=("mine=/folder",)))
