"""An update that does not become ready is taken back, code and data, by itself; a good one by `rollback`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from deploy import update
from deploy.backup import commands
from deploy.console import Stop
from deploy.layout import Layout
from deploy.tests import backup_stack as stacks
from deploy.tests.backup_stack import git

PROGRAM = """
import sqlite3, sys
VERSION = {version}
db = sqlite3.connect("data/svc-chat/service.db", isolation_level=None)
if VERSION > 1:  # the migration
    db.execute("ALTER TABLE c ADD COLUMN more")
    db.execute("UPDATE c SET text = 'changed by version {version}'")
columns = [row[1] for row in db.execute("PRAGMA table_info(c)")]
if VERSION == 1 and "more" in columns:
    sys.exit("an older program refuses a newer database")
open("ran", "a").write(f"{{VERSION}} ")
sys.exit({status})
"""


class Installation:
    """A checkout of a program in two versions, and its data."""

    def __init__(self, folder: Path):
        self.source, self.here = folder / "source", folder / "here"
        self.source.mkdir()
        git(self.source, "init", "--quiet")
        self.release(1, 0)
        git(folder, "clone", "--quiet", str(self.source), str(self.here))
        self.layout = Layout(root=self.here, data_dir=self.here / "data", env={})
        stacks.make(self.layout.data_dir)
        self.first = git(self.here, "rev-parse", "HEAD")

    def release(self, version: int, status: int) -> None:
        (self.source / "program.py").write_text(PROGRAM.format(version=version, status=status))
        (self.source / ".gitignore").write_text("data/\nbackups/\nran\n")
        git(self.source, "add", "-A")
        git(self.source, "commit", "--quiet", "-m", f"version {version}")

    def run(self, name: str) -> int:
        assert name == "up"
        return subprocess.run([sys.executable, "program.py"], cwd=self.here, check=False).returncode

    def update(self) -> int:
        return update.update(self.layout, 1.0, self.run)

    def rollback(self) -> int:
        return update.rollback(self.layout, 1.0, self.run)

    def texts(self) -> list[tuple]:
        return stacks.rows(self.layout.data_dir / "svc-chat" / "service.db", "SELECT text FROM c")

    @property
    def head(self) -> str:
        return git(self.here, "rev-parse", "HEAD")

    @property
    def ran(self) -> list[str]:
        return (self.here / "ran").read_text().split()


@pytest.fixture
def installed(tmp_path: Path) -> Installation:
    return Installation(tmp_path)


def test_a_good_update_is_kept_and_rollback_brings_code_and_data_back(installed: Installation) -> None:
    before = stacks.digests(installed.layout.data_dir)
    installed.release(2, 0)
    assert installed.update() == 0
    assert installed.texts() == [("changed by version 2",)] and installed.head != installed.first
    assert installed.rollback() == 0
    assert installed.texts() == [("Olá",)] and installed.head == installed.first
    assert installed.ran == ["2", "1"]
    assert stacks.digests(installed.layout.data_dir) == before
    (aside,) = (installed.layout.data_dir / "before-rollback").iterdir()
    newer = stacks.rows(aside / "svc-chat" / "service.db", "SELECT text FROM c")
    assert newer == [("changed by version 2",)], "what the newer version wrote is not lost"
    assert (installed.layout.data_dir / "svc-translate" / "ct2" / "model.bin").is_file()


def test_an_update_that_fails_to_start_goes_back_by_itself(
    installed: Installation, capfd: pytest.CaptureFixture[str]
) -> None:
    installed.release(2, 1)
    assert installed.update() == 1
    assert installed.texts() == [("Olá",)] and installed.head == installed.first
    assert installed.ran == ["2", "1"]
    assert "runs again with its data" in capfd.readouterr().err
    with pytest.raises(Stop, match="no update to take back"):
        installed.rollback()


def test_an_update_killed_in_the_middle_is_taken_back_by_rollback(installed: Installation) -> None:
    installed.release(2, 0)

    def killed(_: str) -> int:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        update.update(installed.layout, 1.0, killed)
    assert installed.head != installed.first
    assert installed.rollback() == 0
    assert installed.head == installed.first and installed.texts() == [("Olá",)]


def test_a_rollback_killed_in_the_middle_goes_on_the_next_time(
    installed: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed.release(2, 0)
    installed.update()

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(commands.restore, "commit", killed)
        installed.rollback()
    assert installed.rollback() == 0
    assert installed.head == installed.first and installed.texts() == [("Olá",)]


def test_nothing_newer_changes_nothing(installed: Installation) -> None:
    assert installed.update() == 0
    assert not (installed.here / "backups").exists() and not (installed.here / "ran").exists()


def test_changed_files_of_the_program_are_never_overwritten(installed: Installation) -> None:
    installed.release(2, 0)
    (installed.here / "program.py").write_text("mine")
    with pytest.raises(Stop, match="program.py.*git stash"):
        installed.update()
    assert (installed.here / "program.py").read_text() == "mine" and installed.head == installed.first


def test_commits_of_ones_own_are_never_overwritten(installed: Installation) -> None:
    installed.release(2, 0)
    (installed.here / "own.py").write_text("mine")
    git(installed.here, "add", "own.py")
    git(installed.here, "commit", "--quiet", "-m", "mine")
    own = installed.head
    with pytest.raises(Stop, match="commits of its own"):
        installed.update()
    assert installed.head == own


@pytest.mark.parametrize("kind", ["no checkout", "no remote"])
def test_where_there_is_nothing_to_fetch_the_other_way_is_told(tmp_path: Path, kind: str) -> None:
    if kind == "no remote":
        git(tmp_path, "init", "--quiet")
    with pytest.raises(Stop, match="unpack the new version"):
        update.update(Layout(root=tmp_path, data_dir=tmp_path / "data"), 1.0, lambda _: 0)


def test_without_room_for_the_backup_nothing_is_updated(
    installed: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed.release(2, 0)

    def full(*_: object, **__: object) -> Path:
        raise Stop("could not be written: No space left on device")

    monkeypatch.setattr(commands, "backup", full)
    with pytest.raises(Stop, match="No space left"):
        installed.update()
    assert installed.head == installed.first and not (installed.here / "ran").exists()
