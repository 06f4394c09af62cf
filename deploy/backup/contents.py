"""What belongs into a backup: which folders, which files in them, which of those are databases.

Everything that a service keeps belongs to it, except what is made or fetched again: conversions of models,
drafts of unfinished writes, SQLite's side files and the one-time link of the last start.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

SERVICES = ("svc-chat", "svc-image-gen", "svc-vision", "svc-translate", "svc-rag", "svc-tts", "gateway")
"""Folders of a stack, in the order of copying: the gateway last, so that it knows every owner of a record."""
KEEP_NOTHING = ("svc-code", "frontend")
"""Processes without anything to back up: sandboxes end with their sessions, the page is built."""
WORK = ".backup"
"""Folder in a service's folder where a backup in the making lies."""
RESTORING = ".restore"
"""Folder in a service's folder while a backup is put back; services do not start beside it."""
RESTORED = ".restored"
"""What `.restore` is called while it is removed: a service may start again."""
MADE_AGAIN = {
    "ct2": "models converted for the translator are made again at its next start",
    "models": "public models are fetched again",
    "cache": "caches fill again",
    "link.json": "every start makes a new one-time link",
    "permits.key": "a new key is made; what this one opens holds for minutes",
}
"""Names in a service's folder that stay out, and why."""
RECORDS = (("rag.db", "documents", "documents/{}/source"), ("service.db", "files", "files/{}"))
"""Database, table and place of the files that a record must not be without, by the record's id."""
_DRAFT = re.compile(r"\..+\.[0-9a-f]{16}\.tmp|.*-(wal|shm|journal)|.*\.part")
_MAGIC = b"SQLite format 3\x00"
_SUFFIXES = (".db", ".sqlite", ".sqlite3")


@dataclass(frozen=True)
class LeftOut:
    """Something of a service's folder that is not in the backup."""

    path: str
    bytes: int
    why: str


def present(root: Path) -> list[str]:
    """Return the services that have a folder in `root`."""
    return [name for name in SERVICES if (root / name).is_dir()]


def files(folder: Path) -> Iterator[Path]:
    """Give every file of a service's folder that belongs into a backup."""
    for here, folders, names in os.walk(folder):
        at_top = Path(here) == folder
        if at_top:
            folders[:] = [name for name in folders if name not in (*MADE_AGAIN, WORK, RESTORING, RESTORED)]
        for name in sorted(names):
            file = Path(here) / name
            left_out = _DRAFT.fullmatch(name) or (at_top and (name in MADE_AGAIN or name.startswith(WORK)))
            if not left_out and not file.is_symlink() and file.is_file():
                yield file


def left_out(folder: Path) -> list[LeftOut]:
    """Return what `files` passes over for good, with its size."""
    found = []
    for name, why in MADE_AGAIN.items():
        path = folder / name
        if path.exists():
            inside = [path] if path.is_file() else list(path.rglob("*"))
            found.append(LeftOut(f"{folder.name}/{name}", sum(map(_size, inside)), why))
    return found


def _size(file: Path) -> int:
    try:
        return file.stat().st_size if file.is_file() else 0
    except FileNotFoundError:
        return 0


def is_database(file: Path) -> bool:
    """Tell whether a file is SQLite's, which must not be copied as it lies; one that is gone is none."""
    if file.suffix in _SUFFIXES:
        return True
    try:
        with file.open("rb") as opened:
            return opened.read(len(_MAGIC)) == _MAGIC
    except FileNotFoundError:
        return False


def drop_orphans(folder: Path) -> None:
    """Remove sidecars of pictures and audio whose content was deleted while it was copied."""
    for sidecar in folder.rglob("*.meta.json"):
        try:
            content = sidecar.parent / str(json.loads(sidecar.read_bytes())["file"])
        except (ValueError, KeyError, TypeError):
            continue
        if not content.is_file():
            sidecar.unlink()


def records_without_file(folder: Path) -> list[str]:
    """Return the files that a service's copied records name and that are not there."""
    missing = []
    for database, table, place in RECORDS:
        if not (folder / database).is_file():
            continue
        with closing(sqlite3.connect(f"file:{folder / database}?mode=ro", uri=True)) as db:
            if not db.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (table,)).fetchone():
                continue
            names = [place.format(row[0]) for row in db.execute(f"SELECT id FROM {table}")]
        missing += [name for name in names if not (folder / name).is_file()]
    return missing
