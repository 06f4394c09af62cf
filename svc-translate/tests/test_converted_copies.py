"""A copy that was being made when the service was killed does not stay on the disk, nor does who made it go on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from svc_translate.engine.convert import workplace
from tests.pipes import reader_of


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


CONVERTING = """
import sys
from pathlib import Path
from types import SimpleNamespace
from svc_translate.engine.convert import _run_child, workplace
with workplace(Path(sys.argv[1])) as (work, lock):
    _run_child(SimpleNamespace(id="odd", path=Path(sys.argv[2])), work / "model", lock)
"""


def test_who_converts_ends_with_a_service_that_is_killed(tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    os.mkfifo(model / "config.json")  # whoever reads it waits for ever
    command = [sys.executable, "-c", CONVERTING, str(tmp_path / "cache"), str(model)]
    with subprocess.Popen(command) as service, reader_of(model / "config.json") as child:
        assert not child.is_gone(0), "it converts"
        service.send_signal(signal.SIGKILL)
        service.wait()
        assert child.is_gone(60)
