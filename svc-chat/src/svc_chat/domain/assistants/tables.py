"""What the model of a run is told of the files that its code can read: how, and which columns they have."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from svc_chat.domain.analysis import Table, files_text, table_of, with_named, with_said
from svc_chat.domain.files import FileService
from svc_chat.engine.base import Message

FILES_MAX = 20
"""Files that a model is told of; the others are there as well."""
BEGINNING_BYTES = 64 * 1024


@dataclass(frozen=True)
class ReadFiles:
    """The tables among a run's files, and the names of the others."""

    tables: tuple[Table, ...] = ()
    others: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The text for the system's turn, empty without files."""
        return files_text(self.tables, self.others)

    def linked(self, turns: Sequence[Message]) -> tuple[Message, ...]:
        """Say below what users say which of the files and columns they name."""
        return tuple(
            replace(turn, content=with_named(turn.content, self.tables)) if turn.role == "user" else turn
            for turn in turns
        )


async def read_files(files: FileService, owner: str, names: Mapping[str, str], asked: str) -> ReadFiles:
    """Look into a run's files, given as id → the name that each has where code runs; raises NotFound.

    What a question holds of cells is looked for in files that are read whole; not without a question.
    """
    tables: list[Table] = []
    others: list[str] = []
    for file_id, name in list(names.items())[:FILES_MAX]:
        _, path = await files.content(owner, file_id)
        table = await asyncio.to_thread(_table, name, path, asked)
        if table is None:
            others.append(name)
        else:
            tables.append(table)
    return ReadFiles(tuple(tables), tuple(others))


def _table(name: str, path: Path, asked: str) -> Table | None:
    """Read a file's beginning; one that is no longer than that is looked through for cells as well."""
    content = _beginning(path)
    table = table_of(name, content)
    if table is None or not asked or len(content) == BEGINNING_BYTES:
        return table
    return with_said(table, content, asked)


def _beginning(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(BEGINNING_BYTES)
    except FileNotFoundError:  # removed meanwhile: its code will be told so
        return b""
