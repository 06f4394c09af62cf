"""Files of the runner that are there whole or not at all: what `servicekit.atomic` is for the services.

Stdlib only: the runner writes before anything is installed.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def drafting(path: Path) -> Iterator[BinaryIO]:
    """Lend a file (mode 0600, it can be read back) that becomes `path` when the block ends without an error."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    sync(path.parent)


def write(path: Path, text: str) -> Path:
    """Write `text` to `path` in one step and return `path`."""
    with drafting(path) as file:
        file.write(text.encode())
    return path


def sync(path: Path) -> None:
    """Have the content of a file, or the names in a folder, outlive a loss of power."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def size_of(amount: float) -> str:
    """Write bytes for people: `3.4 MiB`."""
    for unit in ("bytes", "KiB", "MiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}" if unit == "bytes" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} GiB"
