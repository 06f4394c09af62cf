"""GGUF files come and go while the service runs; adapters are offered on their base."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from svc_chat.engine.library import ModelLibrary

WriteModel = Callable[..., Path]


def library_of(*places: Path, adapters: tuple[tuple[str, Path], ...] = ()) -> ModelLibrary:
    return ModelLibrary(places, adapters, places[0], lambda header: header.file_bytes)


def ids(library: ModelLibrary) -> list[str]:
    return [model.id for model in library.listing.models]


@pytest.fixture
def folder(tmp_path: Path, write_model: WriteModel) -> Path:
    folder = tmp_path / "models"
    folder.mkdir()
    write_model(folder / "base.gguf")
    return folder


def test_a_file_that_appears_is_seen_and_one_that_goes_vanishes(
    folder: Path, write_model: WriteModel
) -> None:
    library = library_of(folder)
    assert library.scan() and ids(library) == ["base"]
    assert not library.scan()
    write_model(folder / "another.gguf")
    assert library.scan() and ids(library) == ["another", "base"]
    (folder / "base.gguf").unlink()
    assert library.scan() and ids(library) == ["another"]


def test_a_replaced_file_has_another_version(folder: Path, write_model: WriteModel) -> None:
    library = library_of(folder)
    library.scan()
    before = library.listing.files[0].version
    os.replace(write_model(folder / "new.tmp"), folder / "base.gguf")
    assert library.scan() and library.listing.files[0].version != before


def test_only_whole_gguf_files_of_the_folder_count(folder: Path) -> None:
    (folder / "notes.txt").write_text("x")
    (folder / ".hidden.gguf").write_bytes(b"GGUF")
    library = library_of(folder)
    library.scan()
    assert ids(library) == ["base"]


def test_a_broken_file_is_listed_last_with_its_reason(folder: Path) -> None:
    whole = (folder / "base.gguf").read_bytes()
    (folder / "a-part.gguf").write_bytes(whole[:-1000])
    library = library_of(folder)
    library.scan()
    assert ids(library) == ["base", "a-part"]
    assert "too early" in (library.listing.files[1].problem or "")
    (folder / "a-part.gguf").write_bytes(whole)
    library.scan()
    assert [file.problem for file in library.listing.files] == [None, None]


def test_the_first_of_two_equal_names_wins(folder: Path, tmp_path: Path, write_model: WriteModel) -> None:
    (tmp_path / "other").mkdir()
    write_model(tmp_path / "other" / "base.gguf")
    library = library_of(folder / "base.gguf", tmp_path / "other", tmp_path / "missing.gguf")
    library.scan()
    assert [file.path for file in library.listing.files] == [folder / "base.gguf"]


def test_an_adapter_is_offered_on_its_base_only(folder: Path, write_adapter: WriteModel) -> None:
    adapter = write_adapter(folder / "poems.gguf")
    library = library_of(folder, adapters=(("base", adapter), ("gone", adapter)))
    library.scan()
    assert ids(library) == ["base", "base+poems"]
    base, adapted = library.listing.files
    assert (adapted.path, adapted.adapter_path) == (base.path, adapter)
    assert adapted.version == base.version and adapted.memory_bytes == base.memory_bytes


@pytest.mark.parametrize("wrong", ["a model", "another architecture", "noise"])
def test_an_adapter_that_does_not_fit_says_so(
    folder: Path, tmp_path: Path, write_adapter: WriteModel, wrong: str
) -> None:
    adapter = tmp_path / "odd.gguf"
    if wrong == "a model":
        adapter.write_bytes((folder / "base.gguf").read_bytes())
    elif wrong == "noise":
        adapter.write_bytes(b"GGUF" * 20)
    else:
        write_adapter(adapter, architecture="qwen2")
    library = library_of(folder, adapters=(("base", adapter),))
    library.scan()
    assert ids(library) == ["base", "base+odd"]
    problem = library.listing.files[1].problem
    assert problem is not None and str(tmp_path) not in problem


def test_another_file_computes_with_tables_for_the_built_in_model_and_is_not_listed(
    tmp_path: Path, write_model: WriteModel
) -> None:
    builtin, other = write_model(tmp_path / "built-in.gguf"), write_model(tmp_path / "other.gguf")
    analyst = tmp_path / "analyst.gguf"
    library = ModelLibrary([builtin, other], (), builtin, lambda header: header.file_bytes, analyst=analyst)
    library.scan()
    assert (
        library.computing("built-in") == "built-in"
    )  # where the other half is missing it does itself what it can
    write_model(analyst)
    library.scan()
    assert ids(library) == ["built-in", "other"]
    assert [file.id for file in library.listing.files] == ["built-in", "other", "analyst"]
    assert [model.id for model in library.listing.unlisted] == ["analyst"]
    names = ("built-in", "other", "gone")
    assert [library.computing(name) for name in names] == ["analyst", "other", "gone"]
    analyst.write_bytes(analyst.read_bytes()[:-1000])
    library.scan()
    assert library.computing("built-in") == "built-in"
