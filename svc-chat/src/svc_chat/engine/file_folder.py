"""The content of files in one folder, each named by its id alone; what has its final name is complete.

What is being written has another name and is locked by who writes it: the lock ends with the process, so that
whoever cleans up can tell what nobody writes any more. User-given names never become paths.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from svc_chat.errors import StorageFull

_ID = re.compile(r"file-[0-9a-f]{32}")
_PART = ".part"
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class IncomingFile:
    """One file being written. Not safe to use from several threads at once."""

    def __init__(self, target: Path):
        self.size = 0
        self._target, self._part = target, target.with_suffix(_PART)
        self._digest = hashlib.sha256()
        self._kept = False
        with _translated():
            self._file = _locked(self._part)

    def write(self, content: bytes) -> None:
        """Add to it; raises StorageFull."""
        with _translated():
            self._file.write(content)
        self._digest.update(content)
        self.size += len(content)

    def keep(self) -> str:
        """Give it its name once it is safely on the disk; return the SHA-256 in hex. Raises StorageFull."""
        with _translated():
            self._file.flush()
            os.fsync(self._file.fileno())
            self._part.replace(self._target)
            self._kept = True
            _sync(self._target.parent)
        return self._digest.hexdigest()

    def close(self, *, discard: bool) -> None:
        """End the writing; with `discard` nothing of it stays. The lock ends here."""
        if discard:
            (self._target if self._kept else self._part).unlink(missing_ok=True)
        try:
            self._file.close()
        except OSError:  # what is still in memory finds no room: it is discarded anyway
            if not discard:
                raise


class FileFolder:
    """FileContents below one folder."""

    def __init__(self, root: Path):
        self._root = root
        root.mkdir(parents=True, exist_ok=True)
        root.chmod(0o700)

    def begin(self, file_id: str) -> IncomingFile:
        """Begin to take one in; raises StorageFull."""
        return IncomingFile(self.path(file_id))

    def path(self, file_id: str) -> Path:
        """Return where the content is."""
        if not _ID.fullmatch(file_id):
            raise ValueError("not a file's id")
        return self._root / file_id

    def delete(self, file_id: str) -> None:
        """Remove it, if it is there."""
        self.path(file_id).unlink(missing_ok=True)
        _sync(self._root)

    def ids(self) -> list[str]:
        """Return the ids of all whole files that nobody is still writing; parts of dead writers are removed."""
        found = []
        for path in sorted(self._root.iterdir()):
            if not _abandoned(path):
                continue
            if path.suffix == _PART:
                path.unlink(missing_ok=True)
            elif _ID.fullmatch(path.name):
                found.append(path.name)
        return found


def _locked(path: Path) -> BinaryIO:
    """Make a file that is locked while it is open; one that was cleaned up before it was locked is made again."""
    while True:
        file = path.open("xb")
        fcntl.flock(file, fcntl.LOCK_EX)
        if path.exists():
            return file
        file.close()


def _abandoned(path: Path) -> bool:
    """Tell whether nobody is writing the file."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, FileNotFoundError):
        return False
    return True


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise StorageFull() from error
        raise
