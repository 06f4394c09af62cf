"""A copy that was being made when the service was killed does not stay on the disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from svc_translate.engine.convert import workplace


def test_what_a_kill_left_half_made_goes_when_the_next_copy_is_made(tmp_path: Path) -> None:
    left = tmp_path / ".making-left" / "model"
    left.mkdir(parents=True)
    (left / "model.bin").write_bytes(b"half")
    (tmp_path / "int8-whole").mkdir()
    with workplace(tmp_path) as (work, _):
        assert sorted(path.name for path in tmp_path.iterdir()) == sorted([work.name, "int8-whole"])
    assert not work.exists()


def test_what_another_process_is_making_stays(tmp_path: Path) -> None:
    with workplace(tmp_path) as (first, _), workplace(tmp_path) as (second, _):
        assert first.is_dir() and second.is_dir() and first != second


def test_nothing_is_left_of_a_copy_that_failed(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="torn"), workplace(tmp_path):
        raise OSError("torn")
    assert list(tmp_path.iterdir()) == []
