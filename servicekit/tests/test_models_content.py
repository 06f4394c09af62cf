"""What tells the files of a model apart."""

import os
from pathlib import Path

import pytest

from servicekit.health import Readiness
from servicekit.hub import editions
from servicekit.models import InstalledModel, ServiceModels, content
from servicekit.models.content import content_of

DATE_NS = 1_700_000_000_000_000_000


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A folder like a built-in model's; its files all have one date."""
    folder = tmp_path / "mini"
    (folder / "tokens").mkdir(parents=True)
    put(folder / "model.safetensors", b"a" * 100)
    put(folder / "tokens" / "words.txt", b"circle\n")
    return folder


def put(file: Path, told: bytes, date_ns: int = DATE_NS) -> None:
    file.write_bytes(told)
    os.utime(file, ns=(date_ns, date_ns))


def test_the_same_bytes_are_the_same_model_wherever_and_whenever_they_were_written(model: Path) -> None:
    before = content_of([model])
    os.utime(model / "model.safetensors")
    assert content_of([model.rename(model.with_name("moved"))]) == before


@pytest.mark.parametrize("name", ["model.safetensors", "tokens/words.txt"])
def test_one_byte_makes_another_model_of_the_same_size_and_date(model: Path, name: str) -> None:
    before, file = content_of([model]), model / name
    put(file, b"b" + file.read_bytes()[1:])
    assert content_of([model]) != before


def test_a_file_that_comes_goes_or_is_called_otherwise_makes_another_model(model: Path) -> None:
    told = [content_of([model])]
    (model / "model.safetensors").rename(model / "other.safetensors")
    told.append(content_of([model]))
    put(model / "config.json", b"{}")
    told.append(content_of([model]))
    (model / "tokens" / "words.txt").unlink()
    told.append(content_of([model]))
    assert len(set(told)) == 4


def test_large_files_are_told_by_size_and_date(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "READ_BYTES", 50)
    before = content_of([model])
    put(model / "model.safetensors", b"b" * 100)
    assert content_of([model]) == before, "it is not read"
    put(model / "model.safetensors", b"b" * 100, DATE_NS + 1)
    assert content_of([model]) != before


def test_what_is_missing_or_cannot_be_read_stops_nothing(model: Path) -> None:
    gone = [model, model / "missing", model / "dangling"]
    before = content_of(gone)
    (model / "dangling").symlink_to(model / "nowhere")
    assert content_of(gone) != before
    put(model / "missing", b"here")
    assert content_of([model / "missing"]) not in (before, content_of([model / "nowhere"]))


def test_results_are_kept_by_what_a_built_in_model_holds(model: Path) -> None:
    def told() -> str:
        readiness = Readiness("svc-x")
        known = ServiceModels("svc-x", [InstalledModel("mini", "caption", builtin=True, size_bytes=107)])
        readiness.watch_models(editions(known, None, [model]))
        return str(readiness.report()["models"])

    before = told()
    assert told() == before, "also after a restart"
    put(model / "model.safetensors", b"b" * 100)
    assert told() != before
