"""Puts an archive back into an empty stack: all of it is unpacked and checked before any file is in its place.

While it is under way each service's folder holds `.restore`, beside which no service starts. A restore that
was cut off is begun anew by the next: what lies in such a folder can only come from it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from deploy import files
from deploy.backup import archive, contents
from deploy.backup.archive import Manifest, Tell
from deploy.console import Stop

DONE = "done"
"""File in `.restore` of every folder once all files are in their places."""
ELSEWHERE = ("postgres", "settings", "logs")
"""Beginnings of names that are no service's folder; `commands.py` looks after them."""


def unfinished(root: Path) -> list[str]:
    """Return the services into whose folders a backup is being put, or was and not to the end."""
    return [name for name in contents.SERVICES if (root / name / contents.RESTORING).is_dir()]


def occupied(root: Path) -> list[str]:
    """Return the services that keep something already."""
    busy = unfinished(root)
    names = [name for name in contents.present(root) if name not in busy]
    return [name for name in names if next(contents.files(root / name), None) is not None]


def finish_or_clear(root: Path, tell: Tell) -> None:
    """Remove what a restore that was cut off left: its marks when all was in place, otherwise its files."""
    names = unfinished(root)
    if names and all((root / name / contents.RESTORING / DONE).is_file() for name in names):
        tell("    the last restore had put everything in place")
        _remove_marks(root, names)
        return
    for name in names:
        tell(f"    {name}: what an unfinished restore left is removed")
        folder, mark = root / name, root / name / contents.RESTORING
        for entry in list(folder.iterdir()):
            if (
                entry != mark and entry.name not in contents.MADE_AGAIN
            ):  # the mark goes last: until then this is not taken for a service's own data
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        shutil.rmtree(mark)


def unpack(root: Path, stream: BinaryIO, tell: Tell, elsewhere: Path | None) -> Manifest:
    """Unpack into `.restore` of each folder, and what is no service's into `elsewhere` (None: nowhere).

    Raises: Stop, when the stack is not empty, the archive is damaged or the disk is full; nothing is left then.
    """
    finish_or_clear(root, tell)
    if busy := occupied(root):
        raise Stop(
            f"The stack is not empty ({', '.join(busy)}). A backup is only put into an empty one: make a backup "
            "of it, stop it, and move its data away (make up: mv data data.before; Docker: docker compose down -v)."
        )
    places = _Places(root, elsewhere)
    try:
        return archive.read(stream, tell, places.keep)
    except BaseException:
        for mark in places.marks:
            shutil.rmtree(mark, ignore_errors=True)
        raise


class _Places:
    """Where an archive's files go while they are unpacked."""

    def __init__(self, root: Path, elsewhere: Path | None):
        self._root, self._elsewhere = root, elsewhere
        self.marks: list[Path] = []

    @contextmanager
    def keep(self, name: str) -> Iterator[BinaryIO]:
        """Open the place of one file; it is on disk when the block ends."""
        target = self._target(name)
        if target is None:
            with Path(os.devnull).open("wb") as out:
                yield out
            return
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())

    def _target(self, name: str) -> Path | None:
        begin, *inside = PurePosixPath(name).parts
        if begin in contents.SERVICES and inside:
            mark = self._root / begin / contents.RESTORING
            if mark not in self.marks:
                mark.mkdir(parents=True, mode=0o700)
                self.marks.append(mark)
            return mark / Path(*inside)
        if begin not in ELSEWHERE or not inside:
            raise Stop(
                f"The archive holds {name!r}, which belongs to no service of this version. Update first."
            )
        if begin == "postgres" and self._elsewhere is None:
            raise Stop(
                "The backup holds a PostgreSQL database, which the containers do not use (make up does)."
            )
        return self._elsewhere / name if self._elsewhere else None


def commit(root: Path) -> None:
    """Move everything that `unpack` unpacked into its place."""
    names = unfinished(root)
    for name in names:
        folder = root / name
        for entry in list((folder / contents.RESTORING).iterdir()):
            os.rename(entry, folder / entry.name)
        files.sync(folder)
    for name in names:
        files.write(root / name / contents.RESTORING / DONE, "")
    _remove_marks(root, names)


def _remove_marks(root: Path, names: list[str]) -> None:
    """Remove the marks, each in one step: half of one would be taken for a restore that was cut off."""
    for name in names:
        shutil.rmtree(root / name / contents.RESTORED, ignore_errors=True)
        os.rename(root / name / contents.RESTORING, root / name / contents.RESTORED)
        files.sync(root / name)
        shutil.rmtree(root / name / contents.RESTORED)
