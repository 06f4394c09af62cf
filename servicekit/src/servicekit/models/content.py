"""Tells the files of models apart by what is in them. Knows nothing about what the files mean."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

READ_BYTES = 128 * 2**20
"""Files up to here are read (the built-in ones have up to 91 MB: 60 ms of a processor, measured 2026-11-27); larger
ones, which are models that a setting names, are told by size and date."""


def content_of(places: Iterable[Path]) -> str:
    """Return a digest of the files and folders `places`, another one as soon as any of their bytes is. Blocks.

    What is missing or cannot be read counts as that: whoever loads the model tells of it.
    """
    digest = hashlib.sha256()
    for place in places:
        for file in sorted(place.rglob("*")) if place.is_dir() else [place]:
            if not file.is_dir():
                digest.update(
                    f"{file.relative_to(place)}\0{_told(file)}\0".encode("utf-8", "surrogateescape")
                )
    return digest.hexdigest()


def _told(file: Path) -> str:
    try:
        facts = file.stat()
        if facts.st_size > READ_BYTES:
            return f"{facts.st_size} {facts.st_mtime_ns}"
        with file.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()
    except OSError as error:
        return type(error).__name__
