"""What a model's folder translates, told from its files and names."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

from servicekit.errors import ServiceError
from servicekit.hub import RepoFile
from svc_translate.engine.base import Pair
from svc_translate.engine.folders import MarianFolder
from svc_translate.engine.ready_header import is_translator, number_bytes
from svc_translate.installing import ready_made
from svc_translate.recognizing import Repository, folder_of


def marian(folder: Path, vocabulary: list[str]) -> Path:
    """Lay out a Marian model in CTranslate2's format; its weights are of no use."""
    folder.mkdir()
    (folder / "shared_vocabulary.json").write_text(json.dumps(vocabulary))
    for name in ("model.bin", "source.spm", "target.spm"):
        (folder / name).write_bytes(b"x")
    return folder


def read(path: Path, repo: str, languages: tuple[str, ...] = ()) -> MarianFolder:
    found = folder_of(Repository(repo, path, repo, languages))
    assert isinstance(found, MarianFolder)
    return found


def test_a_model_with_a_label_for_brazil_is_asked_for_brazilian(tmp_path: Path) -> None:
    path = marian(tmp_path / "big", ["</s>", ">>pob<<", ">>por<<"])
    found = read(path, "ooeoeo/opus-mt-tc-big-en-pt-ct2-float16")
    assert (found.pair, found.label) == (Pair("en", "pt"), ">>pob<<")


def test_a_model_without_labels_gets_none(tmp_path: Path) -> None:
    assert read(marian(tmp_path / "small", ["</s>", "a"]), "me/opus-mt-en-pt").label is None


def test_the_label_is_not_put_before_what_goes_into_another_language(tmp_path: Path) -> None:
    assert read(marian(tmp_path / "back", ["</s>", ">>pob<<"]), "me/opus-mt-tc-big-pt-en").label is None


def test_a_model_of_several_sources_goes_from_each_into_its_target(tmp_path: Path) -> None:
    path = marian(tmp_path / "many", ["</s>", "a"])
    found = read(path, "michaelfeil/ct2fast-opus-mt-ROMANCE-en", ("pt", "es", "fr", "en"))
    described = found.described()
    assert set(described.pairs) == {Pair("pt", "en"), Pair("es", "en"), Pair("fr", "en")}
    assert described.goes(Pair("es", "en")) and not described.goes(Pair("en", "es"))


def test_a_name_that_tells_no_direction_says_how_to_give_one(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match="TRANSLATE_EXTRA_MODELS"):
        read(marian(tmp_path / "odd", ["</s>"]), "me/something")


def test_a_repository_of_ctranslate2_is_recognised_by_its_files() -> None:
    names = [
        "config.json",
        "model.bin",
        "shared_vocabulary.txt",
        "sentencepiece.bpe.model",
        "x.py",
        "README.md",
    ]
    files = {name: RepoFile(name, 10) for name in names}
    chosen = ready_made(files, ())
    assert chosen is not None
    assert {file.name for file in chosen} == set(names) - {"x.py", "README.md"}
    del files["sentencepiece.bpe.model"]
    assert ready_made(files, ()) is None


@pytest.mark.parametrize(("kind", "size"), [(0, 4), (1, 1), (4, 2)])
def test_the_header_of_the_weights_tells_how_wide_their_numbers_are(kind: int, size: int) -> None:
    def text(name: bytes) -> bytes:
        return struct.pack("<H", len(name) + 1) + name + b"\0"

    head = struct.pack("<I", 6) + text(b"TransformerSpec") + struct.pack("<II", 7, 3)
    head += text(b"decoder/activation") + struct.pack("<BBIb", 0, 1, 1, 0)
    head += text(b"decoder/b") + struct.pack("<BIBI", 1, 2, 0, 8) + bytes(8)
    head += text(b"decoder/embeddings/weight") + struct.pack("<BIIBI", 2, 4, 4, kind, 16 * size)
    assert is_translator(head)
    assert number_bytes(head) == size


@pytest.mark.parametrize("head", [b"", b"PK\x03\x04" + bytes(60), b"\x80\x04\x95" + bytes(60)])
def test_what_is_no_such_file_is_not_taken_for_one(head: bytes) -> None:
    assert not is_translator(head)
    assert number_bytes(head) == 4
