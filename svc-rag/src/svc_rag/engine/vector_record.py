"""The record of vector stores, their files and batches in SQLite. Knows no chunks."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

from svc_rag.engine.database import Database
from svc_rag.engine.vector_base import Cursor, StoreBatch, StoreFile, VectorStore

_SCHEMA = """
CREATE TABLE IF NOT EXISTS vector_stores (
    id TEXT PRIMARY KEY, owner TEXT NOT NULL, name TEXT NOT NULL, created_at REAL NOT NULL,
    last_active_at REAL NOT NULL, description TEXT, metadata TEXT NOT NULL, expires_days INTEGER,
    expired INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS vector_stores_by_owner ON vector_stores (owner, created_at);
CREATE TABLE IF NOT EXISTS vector_store_files (
    store_id TEXT NOT NULL REFERENCES vector_stores (id) ON DELETE CASCADE, file_id TEXT NOT NULL,
    document_id TEXT NOT NULL UNIQUE, filename TEXT NOT NULL, created_at REAL NOT NULL, batch_id TEXT,
    attributes TEXT NOT NULL, chunk_chars INTEGER, overlap_chars INTEGER, error_code TEXT, error TEXT,
    expires_at REAL, PRIMARY KEY (store_id, file_id));
CREATE INDEX IF NOT EXISTS vector_store_files_by_file ON vector_store_files (file_id);
CREATE TABLE IF NOT EXISTS vector_store_batches (
    id TEXT PRIMARY KEY, store_id TEXT NOT NULL REFERENCES vector_stores (id) ON DELETE CASCADE,
    created_at REAL NOT NULL, cancelled INTEGER NOT NULL);
"""
_STORE = tuple(field.name for field in fields(VectorStore))
_JOINED = ("status", "bytes", "document_error")
_FILE = tuple(field.name for field in fields(StoreFile) if field.name not in _JOINED)
_FILES = (
    f"SELECT {', '.join('f.' + name for name in _FILE)}, d.status AS status, "
    "coalesce(d.size_bytes, 0) AS bytes, d.error AS document_error FROM vector_store_files f "
    "LEFT JOIN documents d ON d.id = f.document_id"
)


class SqliteVectorStores:
    """VectorStores on one SQLite file, beside the documents' record."""

    def __init__(self, database: Database):
        self._database = database
        database.read().executescript(_SCHEMA)

    def add(self, store: VectorStore) -> None:
        """Keep a new store."""
        self._insert("vector_stores", _STORE, store)

    def get(self, store_id: str, owner: str) -> VectorStore | None:
        """Return a store of its owner's."""
        rows = self._read("SELECT * FROM vector_stores WHERE id = ? AND owner = ?", store_id, owner)
        return _store(rows[0]) if rows else None

    def list(self, owner: str, page: Cursor) -> tuple[Sequence[VectorStore], bool] | None:
        """Return a part of the owner's by when they were made, and whether there is more; None: no such cursor."""
        rows = self._read("SELECT * FROM vector_stores WHERE owner = ? ORDER BY created_at, id", owner)
        return paged([_store(row) for row in rows], lambda store: store.id, page)

    def change(self, store_id: str, **fields: object) -> None:
        """Set fields of a store."""
        self._update("vector_stores", _STORE, "id = ?", (store_id,), fields)

    def delete(self, store_id: str) -> None:
        """Forget a store with its files and batches."""
        self._write("DELETE FROM vector_stores WHERE id = ?", store_id)

    def expired(self, now: float) -> Sequence[VectorStore]:
        """Return the stores whose files are to be removed."""
        rows = self._read(
            "SELECT * FROM vector_stores WHERE NOT expired AND expires_days IS NOT NULL "
            "AND last_active_at + expires_days * 86400.0 <= ?", now
        )  # fmt: skip
        return [_store(row) for row in rows]

    def add_file(self, file: StoreFile) -> None:
        """Keep a file of a store; in place of what was there of it."""
        self._insert("vector_store_files", _FILE, file)

    def file(self, store_id: str, file_id: str) -> StoreFile | None:
        """Return a file of a store."""
        rows = self._read(f"{_FILES} WHERE f.store_id = ? AND f.file_id = ?", store_id, file_id)
        return _file(rows[0]) if rows else None

    def files(self, store_id: str, batch_id: str | None = None) -> Sequence[StoreFile]:
        """Return the files of a store, or of one batch, oldest first."""
        within = "" if batch_id is None else " AND f.batch_id = ?"
        values = [store_id] if batch_id is None else [store_id, batch_id]
        rows = self._read(f"{_FILES} WHERE f.store_id = ?{within} ORDER BY f.created_at, f.file_id", *values)
        return [_file(row) for row in rows]

    def change_file(self, store_id: str, file_id: str, **fields: object) -> None:
        """Set fields of a file."""
        where = ("store_id = ? AND file_id = ?", (store_id, file_id))
        self._update("vector_store_files", _FILE, *where, fields)

    def delete_file(self, store_id: str, file_id: str) -> None:
        """Forget a file of a store."""
        self._write("DELETE FROM vector_store_files WHERE store_id = ? AND file_id = ?", store_id, file_id)

    def files_of(self, owner: str, file_id: str) -> Sequence[StoreFile]:
        """Return a file as it stands in each of its owner's stores."""
        rows = self._read(
            f"{_FILES} JOIN vector_stores s ON s.id = f.store_id WHERE s.owner = ? AND f.file_id = ?",
            owner, file_id,
        )  # fmt: skip
        return [_file(row) for row in rows]

    def expired_files(self, now: float) -> Sequence[StoreFile]:
        """Return files that have expired where they came from."""
        return [_file(row) for row in self._read(f"{_FILES} WHERE f.expires_at <= ?", now)]

    def half_fetched(self) -> Sequence[StoreFile]:
        """Return files that have neither a document nor a reason why not."""
        return [_file(row) for row in self._read(f"{_FILES} WHERE f.error IS NULL AND d.id IS NULL")]

    def of_document(self, document_id: str) -> StoreFile | None:
        """Return the file that a document was made of."""
        rows = self._read(f"{_FILES} WHERE f.document_id = ?", document_id)
        return _file(rows[0]) if rows else None

    def lost_documents(self) -> Sequence[str]:
        """Return documents of stores that no file names: their store was removed half-way."""
        rows = self._read(
            "SELECT id FROM documents WHERE owner LIKE 'vs\\_%' ESCAPE '\\' "
            "AND id NOT IN (SELECT document_id FROM vector_store_files)"
        )
        return [row["id"] for row in rows]

    def add_batch(self, batch: StoreBatch) -> None:
        """Keep a batch."""
        self._insert("vector_store_batches", ("id", "store_id", "created_at", "cancelled"), batch)

    def batch(self, store_id: str, batch_id: str) -> StoreBatch | None:
        """Return a batch of a store."""
        rows = self._read(
            "SELECT * FROM vector_store_batches WHERE id = ? AND store_id = ?", batch_id, store_id
        )
        if not rows:
            return None
        row = rows[0]
        return StoreBatch(row["id"], row["store_id"], row["created_at"], bool(row["cancelled"]))

    def cancel_batch(self, batch_id: str) -> None:
        """Remember that nobody wants the rest of a batch."""
        self._write("UPDATE vector_store_batches SET cancelled = 1 WHERE id = ?", batch_id)

    def delete_batch(self, batch_id: str) -> None:
        """Forget a batch; its files stay."""
        self._write("DELETE FROM vector_store_batches WHERE id = ?", batch_id)

    def _read(self, sql: str, *values: object) -> Sequence[sqlite3.Row]:
        return self._database.read().execute(sql, values).fetchall()

    def _write(self, sql: str, *values: object) -> None:
        with self._database.write() as db:
            db.execute(sql, values)

    def _insert(self, table: str, columns: Sequence[str], row: Any) -> None:
        marks = ", ".join("?" * len(columns))
        values = [_kept(getattr(row, name)) for name in columns]
        self._write(f"INSERT OR REPLACE INTO {table} ({', '.join(columns)}) VALUES ({marks})", *values)

    def _update(
        self, table: str, columns: Sequence[str], where: str, key: tuple[str, ...], fields: dict[str, object]
    ) -> None:
        unknown = set(fields) - set(columns)
        if unknown:
            raise ValueError(f"no such fields: {sorted(unknown)}")
        sets = ", ".join(f"{name} = ?" for name in fields)
        self._write(f"UPDATE {table} SET {sets} WHERE {where}", *map(_kept, fields.values()), *key)


def paged(rows: Sequence[Any], id_of: Any, page: Cursor) -> tuple[Sequence[Any], bool] | None:
    """Return a part of `rows` (oldest first) and whether there is more beyond it; None for an unknown cursor."""
    ordered = list(rows)[::-1] if page.newest_first else list(rows)
    ids = [id_of(row) for row in ordered]
    if any(cursor is not None and cursor not in ids for cursor in (page.after, page.before)):
        return None
    if page.before is not None and page.after is None:
        end = ids.index(page.before)
        start = max(0, end - page.limit)
        return ordered[start:end], start > 0
    start = 0 if page.after is None else ids.index(page.after) + 1
    end = len(ids) if page.before is None else ids.index(page.before)
    return ordered[start : min(end, start + page.limit)], end > start + page.limit


def _kept(value: object) -> object:
    return json.dumps(value) if isinstance(value, dict) else value


def _store(row: sqlite3.Row) -> VectorStore:
    found = {name: row[name] for name in _STORE}
    return VectorStore(
        **{**found, "metadata": json.loads(found["metadata"]), "expired": bool(found["expired"])}
    )


def _file(row: sqlite3.Row) -> StoreFile:
    found = {name: row[name] for name in (*_FILE, *_JOINED)}
    return replace(StoreFile(**found), attributes=json.loads(found["attributes"]))
