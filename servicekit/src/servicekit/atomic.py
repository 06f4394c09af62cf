"""Files that are there whole or not at all: written under another name, synced, renamed.

Owns drafts, the names under which unfinished writes lie: after a crash or on a full disk the old file is
untouched, and `remove_drafts` clears what is left. Knows nothing of what is written.
"""

from __future__ import annotations

import os
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

DRAFT_STALE_S = 3_600.0
"""A draft that is older than this and was never finished belongs to a process that died."""
_DRAFT = re.compile(r"\..+\.[0-9a-f]{16}\.tmp")


@contextmanager
def drafting(path: Path, *, replace: bool = True, mode: int = 0o600) -> Iterator[BinaryIO]:
    """Lend a file that becomes `path` when the block ends without an error.

    Raises:
        FileExistsError: `path` is there and `replace` is false.
        OSError: the disk is full or cannot be written; nothing of it stays.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            os.fchmod(file.fileno(), mode)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            os.replace(draft, path)
        else:
            os.link(draft, path)
            draft.unlink()
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    sync(path.parent)


def write(path: Path, content: bytes, *, replace: bool = True, mode: int = 0o600) -> None:
    """Write `content` to `path` in one step. Raises as `drafting` does."""
    with drafting(path, replace=replace, mode=mode) as file:
        file.write(content)


def sync(path: Path) -> None:
    """Have the content of a file, or the names in a folder, outlive a loss of power."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def is_draft(name: str) -> bool:
    """Tell whether a file's name is that of an unfinished write."""
    return _DRAFT.fullmatch(name) is not None


def remove_drafts(folder: Path, *, now: float | None = None) -> tuple[int, int]:
    """Remove drafts in `folder` that died more than an hour ago; return how many and their bytes."""
    count = size = 0
    for file in list(folder.iterdir()) if folder.is_dir() else []:
        try:
            facts = file.stat()
            if is_draft(file.name) and (now or time.time()) - facts.st_mtime > DRAFT_STALE_S:
                file.unlink()
                count, size = count + 1, size + facts.st_size
        except FileNotFoundError:
            continue
    return count, size
