"""The session's folder, seen from inside: list, read, write, delete; never through a symbolic link.

Whatever a hostile name or link leads to, it is inside the sandbox: nothing here is opened by the service.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

PART = 128 * 1024
"""Bytes of one answer to `read`."""
UPLOADS = ".uploads"
DEPTH_MAX = 6


class Missing(Exception):
    """There is no regular file of that name."""


class Folder:
    """The files of `root`, at most `max_files` of them listed."""

    def __init__(self, root: Path, max_files: int):
        self._root, self._max = root, max_files
        self._uploads = root / UPLOADS

    def listing(self) -> list[dict[str, Any]]:
        """Return name, size and time of change of each regular file, by name."""
        found: list[dict[str, Any]] = []
        waiting = [(self._root, "", 0)]
        while waiting and len(found) < self._max:
            folder, prefix, depth = waiting.pop()
            try:
                entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
            except OSError:
                continue
            for entry in entries:
                name = prefix + entry.name
                if name.startswith(UPLOADS) or not _printable(name):
                    continue
                if entry.is_dir(follow_symlinks=False) and depth < DEPTH_MAX:
                    waiting.append((folder / entry.name, name + "/", depth + 1))
                elif entry.is_file(follow_symlinks=False) and len(found) < self._max:
                    told = entry.stat(follow_symlinks=False)
                    found.append({"name": name, "size": told.st_size, "changed": told.st_mtime_ns})
        return sorted(found, key=lambda file: str(file["name"]))

    def read(self, name: str, offset: int) -> bytes:
        """Return up to `PART` bytes from `offset`. Raises: Missing."""
        try:
            # O_NONBLOCK: a named pipe must not hold the reader
            handle = os.open(self._root / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except (OSError, ValueError) as exc:
            raise Missing(name) from exc
        try:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise Missing(name)
            return os.pread(handle, PART, offset)
        finally:
            os.close(handle)

    def write(self, upload: str, part: bytes, offset: int) -> None:
        """Write a part of an upload. Raises: OSError, when the disk is full."""
        self._uploads.mkdir(exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW
        handle = os.open(self._uploads / upload, flags, 0o644)
        try:
            done = 0
            while done < len(part):
                done += os.pwrite(handle, part[done:], offset + done)
        finally:
            os.close(handle)

    def finish(self, upload: str, name: str) -> dict[str, Any]:
        """Make the upload the file `name`; an empty upload makes an empty file. Raises: OSError."""
        self.write(upload, b"", 0)
        target = self._root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_dir() and not target.is_symlink():
            raise IsADirectoryError(name)
        os.replace(self._uploads / upload, target)
        told = os.lstat(target)
        return {"name": name, "size": told.st_size, "changed": told.st_mtime_ns}

    def discard(self, upload: str) -> None:
        """Forget an upload."""
        (self._uploads / upload).unlink(missing_ok=True)

    def delete(self, name: str) -> None:
        """Delete a file or a link. Raises: Missing."""
        try:
            os.unlink(self._root / name)
        except (OSError, ValueError) as exc:
            raise Missing(name) from exc

    def entries(self) -> int:
        """Return how many files, folders and links its file system holds."""
        told = os.statvfs(self._root)
        return told.f_files - told.f_ffree


def _printable(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return name.isprintable()
