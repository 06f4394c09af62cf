"""What the model of a run is told of the files that its code can read: how, and which columns they have."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path

from svc_chat.domain.analysis import Table, files_text, table_of
from svc_chat.domain.files import FileService

FILES_MAX = 20
"""Files that a model is told of; the others are there as well."""
BEGINNING_BYTES = 64 * 1024


async def told_of(files: FileService, owner: str, file_ids: Iterable[str]) -> str:
    """Return the text for the system's turn, empty without files; raises NotFound."""
    tables: list[Table] = []
    others: list[str] = []
    for file_id in list(dict.fromkeys(file_ids))[:FILES_MAX]:
        file, path = await files.content(owner, file_id)
        table = table_of(file.filename, await asyncio.to_thread(_beginning, path))
        if table is None:
            others.append(file.filename)
        else:
            tables.append(table)
    return files_text(tables, others)


def _beginning(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(BEGINNING_BYTES)
    except FileNotFoundError:  # removed meanwhile: its code will be told so
        return b""
