"""The durable record of documents in SQLite: metadata, text and pages. Knows no chunks, no vectors."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import fields

from svc_rag.engine.base import Document, Page
from svc_rag.engine.database import Database

SCHEMA_VERSION = 1
"""Of all tables in the file, the search store's too; count it up with a step that changes older ones."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS documents (
    id TEXT PRIMARY KEY, owner TEXT NOT NULL, title TEXT NOT NULL, media_type TEXT NOT NULL,
    size_bytes INTEGER NOT NULL, pages INTEGER NOT NULL, chunks INTEGER NOT NULL, status TEXT NOT NULL,
    created_at REAL NOT NULL, job_id TEXT, error TEXT);
CREATE INDEX IF NOT EXISTS documents_by_owner ON documents (owner, created_at);
CREATE TABLE IF NOT EXISTS document_texts (
    document_id TEXT PRIMARY KEY REFERENCES documents (id) ON DELETE CASCADE, text TEXT NOT NULL, pages TEXT NOT NULL);
"""
_COLUMNS = tuple(field.name for field in fields(Document))


class SqliteRecord:
    """DocumentRecord on one SQLite file."""

    def __init__(self, database: Database):
        self._database = database
        database.claim(SCHEMA_VERSION)
        database.read().executescript(_SCHEMA)

    def add(self, document: Document) -> None:
        """Write a new document. Raises sqlite3.IntegrityError if the id is taken."""
        marks = ", ".join("?" * len(_COLUMNS))
        values = [getattr(document, name) for name in _COLUMNS]
        with self._database.write() as db:
            db.execute(f"INSERT INTO documents ({', '.join(_COLUMNS)}) VALUES ({marks})", values)

    def get(self, document_id: str, owner: str | None = None) -> Document | None:
        """Return the document, or None when there is none or it belongs to another owner."""
        row = self._database.read().execute("SELECT * FROM documents WHERE id = ?", (document_id,)).fetchone()
        return _document(row) if row and owner in (None, row["owner"]) else None

    def list(self, owner: str) -> list[Document]:
        """Return the owner's documents, newest first."""
        rows = self._database.read().execute(
            "SELECT * FROM documents WHERE owner = ? ORDER BY created_at DESC, id", (owner,)
        )
        return [_document(row) for row in rows]

    def all(self) -> Sequence[Document]:
        """Return everybody's documents, oldest first."""
        rows = self._database.read().execute("SELECT * FROM documents ORDER BY created_at, id")
        return [_document(row) for row in rows]

    def update(self, document_id: str, **fields: object) -> bool:
        """Set fields; return whether the document (still) exists."""
        unknown = set(fields) - set(_COLUMNS)
        if unknown:
            raise ValueError(f"no such fields: {sorted(unknown)}")
        assignments = ", ".join(f"{name} = ?" for name in fields)
        with self._database.write() as db:
            done = db.execute(
                f"UPDATE documents SET {assignments} WHERE id = ?", (*fields.values(), document_id)
            )
        return done.rowcount > 0

    def delete(self, document_id: str) -> None:
        """Remove the document and its text."""
        with self._database.write() as db:
            db.execute("DELETE FROM documents WHERE id = ?", (document_id,))

    def forget_deleted(self) -> None:
        """Take deleted text out of the database's log as well."""
        self._database.forget_deleted()

    def save_text(self, document_id: str, text: str, pages: Sequence[Page]) -> None:
        """Keep the parsed text; saving again replaces it. Does nothing when the document is gone."""
        spans = json.dumps([[page.page, page.start, page.end] for page in pages])
        with self._database.write() as db:
            db.execute(
                "INSERT OR REPLACE INTO document_texts SELECT ?, ?, ? WHERE EXISTS (SELECT 1 FROM documents WHERE id = ?)",
                (document_id, text, spans, document_id),
            )

    def text(self, document_id: str) -> tuple[str, tuple[Page, ...]] | None:
        """Return the parsed text and its pages."""
        row = (
            self._database.read()
            .execute("SELECT text, pages FROM document_texts WHERE document_id = ?", (document_id,))
            .fetchone()
        )
        return (row["text"], tuple(Page(*span) for span in json.loads(row["pages"]))) if row else None

    def slice(self, document_id: str, start: int, end: int) -> str | None:
        """Return text[start:end] without reading the whole text into Python."""
        row = (
            self._database.read()
            .execute(
                "SELECT substr(text, ?, ?) FROM document_texts WHERE document_id = ?",
                (start + 1, end - start, document_id),
            )
            .fetchone()
        )
        return row[0] if row else None


def _document(row: sqlite3.Row) -> Document:
    return Document(**{name: row[name] for name in _COLUMNS})
