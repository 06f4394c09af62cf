"""ChunkStore on SQLite: FTS5 for words, a matrix in memory for vectors, the file for both.

One process owns the file's chunks (the matrix mirrors them at connect and at each change). Needs no
loadable extension. Knows nothing about embedding or parsing.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from svc_rag.engine.base import Chunk, Hit, SearchQuery, Space, StoredChunk, Vectors
from svc_rag.engine.database import Database
from svc_rag.engine.fts_terms import RareTerms
from svc_rag.engine.fusion import Fusion, fuse
from svc_rag.engine.sqlite_spaces import EMBEDDING, NextSpace
from svc_rag.engine.vector_matrix import VectorMatrix
from svc_rag.errors import SpaceChanged, StoreNotReady

_SCHEMA = """
CREATE TABLE IF NOT EXISTS store_owners (code INTEGER PRIMARY KEY, owner TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS store_documents (
    code INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, owner_code INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS store_chunks (
    key INTEGER PRIMARY KEY, owner_code INTEGER NOT NULL, document_code INTEGER NOT NULL, n INTEGER NOT NULL,
    page INTEGER NOT NULL, start INTEGER NOT NULL, stop INTEGER NOT NULL, text TEXT NOT NULL,
    UNIQUE (document_code, n));
CREATE TABLE IF NOT EXISTS store_vectors (key INTEGER PRIMARY KEY, vector BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS store_vectors_next (key INTEGER PRIMARY KEY, vector BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS store_meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE VIRTUAL TABLE IF NOT EXISTS store_words USING fts5(
    text, content='store_chunks', content_rowid='key', tokenize='unicode61 remove_diacritics 2');
CREATE VIRTUAL TABLE IF NOT EXISTS store_vocabulary USING fts5vocab('store_words', 'row');
"""


_OVERWRITES = sqlite3.sqlite_version_info >= (3, 42)
"""Whether the index itself can drop the words of what is deleted at once."""


class _Searched(NamedTuple):
    """What is searched now; replaced as one."""

    space: Space
    matrix: VectorMatrix


class SqliteStore:
    """SpaceStore: exact vectors and pruned BM25, fused.

    `default` is the space of a store that is made anew; one that is there keeps its own.
    """

    kind = "sqlite"

    def __init__(
        self, database: Database, default: Space, text_weight: float = 0.5, fusion: Fusion = "minmax",
        candidates: int = 50,
    ):  # fmt: skip
        self._database = database
        self._text_weight, self._fusion, self._candidates = text_weight, fusion, candidates
        self._now = _Searched(default, VectorMatrix(default.dimension))
        self._next = NextSpace(database)
        self._terms = RareTerms(database)
        self._changing = threading.Lock()
        self._connected = False

    @property
    def space(self) -> Space:
        return self._now.space

    def connect(self) -> None:
        """Make the tables and load the vectors, of whatever space they are."""
        with self._changing:
            if self._connected:
                return
            db = self._database.read()
            db.executescript(_SCHEMA)
            if _OVERWRITES:
                db.execute("INSERT INTO store_words (store_words, rank) VALUES ('secure-delete', 1)")
            db.execute("INSERT OR IGNORE INTO store_meta VALUES (?, ?)", (EMBEDDING, str(self.space)))
            found = db.execute("SELECT value FROM store_meta WHERE name = ?", (EMBEDDING,)).fetchone()[0]
            self._now = self._loaded(Space.read(found))
            self._connected = True

    def _loaded(self, space: Space) -> _Searched:
        matrix = VectorMatrix(space.dimension)
        db = self._database.read()
        for document in db.execute("SELECT code, owner_code FROM store_documents ORDER BY code").fetchall():
            rows = db.execute(
                "SELECT c.key, v.vector FROM store_chunks c JOIN store_vectors v USING (key) WHERE document_code = ?",
                (document["code"],),
            ).fetchall()
            if rows:
                vectors = np.frombuffer(b"".join(row["vector"] for row in rows), np.float32)
                keys = np.array([row["key"] for row in rows], np.int64)
                shaped = vectors.reshape(len(rows), space.dimension)
                matrix.add(keys, document["owner_code"], document["code"], shaped)
        return _Searched(space, matrix)

    def check(self) -> None:
        """Raise StoreNotReady unless `connect` succeeded."""
        if not self._connected:
            raise StoreNotReady("The search store is not open yet; try again in a moment.")

    def index(
        self, document_id: str, owner: str, chunks: Sequence[Chunk], vectors: Vectors, space: Space
    ) -> None:
        """Put all chunks of a document, in place of what was there, in one transaction."""
        self.check()
        with self._changing:
            if space != self.space:
                raise SpaceChanged
            with self._database.write() as db:
                old_code = _remove(db, document_id)
                db.execute("INSERT OR IGNORE INTO store_owners (owner) VALUES (?)", (owner,))
                owner_code = db.execute("SELECT code FROM store_owners WHERE owner = ?", (owner,)).fetchone()[
                    0
                ]
                sql = "INSERT INTO store_documents (id, owner_code) VALUES (?, ?)"
                code = int(db.execute(sql, (document_id, owner_code)).lastrowid or 0)
                keys = _insert(db, owner_code, code, chunks, vectors)
            # The matrix follows what is committed, never what might be rolled back.
            if old_code is not None:
                self._now.matrix.remove(old_code)
            if chunks:
                self._now.matrix.add(keys, owner_code, code, vectors)

    def delete(self, document_id: str) -> None:
        """Remove a document's chunks, words and vectors."""
        self.check()
        with self._changing:
            with self._database.write() as db:
                code = _remove(db, document_id)
            if code is not None:
                self._now.matrix.remove(code)

    def forget_deleted(self) -> None:
        """Take words of deleted chunks out of the index, which else leave with some later merge of its parts."""
        if self._connected and not _OVERWRITES:
            with self._database.write() as db:
                db.execute("INSERT INTO store_words (store_words) VALUES ('optimize')")

    def search(self, query: SearchQuery) -> list[Hit]:
        """Return the best chunks of the query's owner. Raises SpaceChanged."""
        self.check()
        space, matrix = self._now
        if query.vector is not None and query.space not in (None, space):
            raise SpaceChanged
        owner = (
            self._database.read()
            .execute("SELECT code FROM store_owners WHERE owner = ?", (query.owner,))
            .fetchone()
        )
        if owner is None:
            return []
        documents = self._document_codes(query.document_ids)
        k = max(self._candidates, query.top_k)
        text: dict[int, float] = {}
        vector: dict[int, float] = {}
        if query.mode != "vector":
            text = self._search_words(query.text, owner["code"], documents, k)
        if query.mode != "text" and query.vector is not None:
            vector = matrix.search(query.vector, owner["code"], documents, k)
        if query.mode == "hybrid":
            ranked = fuse(text, vector, self._text_weight, self._fusion)
        else:
            ranked = sorted((text or vector).items(), key=lambda item: (-item[1], item[0]))
        return self._hits(ranked[: query.top_k])

    def _document_codes(self, ids: Sequence[str]) -> NDArray[np.int32] | None:
        if not ids:
            return None
        marks = ", ".join("?" * len(ids))
        rows = self._database.read().execute(
            f"SELECT code FROM store_documents WHERE id IN ({marks})", tuple(ids)
        )
        return np.array([row["code"] for row in rows], np.int32)

    def _search_words(
        self, text: str, owner: int, documents: NDArray[np.int32] | None, k: int
    ) -> dict[int, float]:
        match = self._terms.match_expression(text)
        if not match:
            return {}
        if documents is None and self._now.matrix.owns_all(owner):
            sql, values = (
                "SELECT rowid, rank FROM store_words WHERE store_words MATCH ? ORDER BY rank LIMIT ?",
                [match, k],
            )
        else:
            within = (
                ""
                if documents is None
                else f" AND c.document_code IN ({', '.join(map(str, documents)) or 'NULL'})"
            )
            sql = (
                "SELECT c.key, rank FROM store_words JOIN store_chunks c ON c.key = store_words.rowid "
                f"WHERE store_words MATCH ? AND c.owner_code = ?{within} ORDER BY rank LIMIT ?"
            )
            values = [match, owner, k]
        return {row[0]: -row[1] for row in self._database.read().execute(sql, values)}

    def _hits(self, ranked: Sequence[tuple[int, float]]) -> list[Hit]:
        marks = ", ".join("?" * len(ranked))
        rows = self._database.read().execute(
            "SELECT c.key, d.id AS document_id, c.n, c.text, c.page, c.start, c.stop FROM store_chunks c "
            f"JOIN store_documents d ON d.code = c.document_code WHERE c.key IN ({marks})",
            [key for key, _ in ranked],
        )
        by_key = {row["key"]: row for row in rows}
        return [
            Hit(f"{row['document_id']}:{row['n']}", row["document_id"], row["text"], score, row["page"], row["start"], row["stop"])
            for key, score in ranked
            if (row := by_key.get(key)) is not None
        ]  # fmt: skip

    def count(self, owner: str, document_ids: Iterable[str] = ()) -> int:
        """Return how many chunks the owner has, in all or in the given documents."""
        ids = tuple(document_ids)
        within = f" AND d.id IN ({', '.join('?' * len(ids))})" if ids else ""
        return int(
            self._database.read().execute(
                "SELECT count(*) FROM store_chunks c JOIN store_documents d ON d.code = c.document_code "
                f"JOIN store_owners o ON o.code = c.owner_code WHERE o.owner = ?{within}", (owner, *ids)
            ).fetchone()[0]
        )  # fmt: skip

    def begin(self, space: Space) -> None:
        """Make room for another space, or go on with it."""
        self.check()
        self._next.begin(space)

    def lacking(self, limit: int) -> Sequence[StoredChunk]:
        """Return chunks without a vector in the new space."""
        return self._next.lacking(limit)

    def fill(self, chunks: Sequence[StoredChunk], vectors: Vectors) -> None:
        """Put vectors into the new space."""
        self._next.fill(chunks, vectors)

    def filled(self) -> tuple[int, int]:
        """Return how many chunks have a vector in the new space, of how many."""
        return self._next.filled()

    def switch(self) -> bool:
        """Search the new space from now on, and drop the old one."""
        self.check()
        with self._changing:
            space = self._next.take_over()
            if space is None:
                return False
            # Searches are answered from the old matrix until this one is whole.
            self._now = self._loaded(space)
        self._next.drop_old()
        return True

    def abandon(self) -> None:
        """Drop a space that was begun, and an old one that a crash left."""
        self.check()
        self._next.abandon()
        self._next.drop_old()

    def close(self) -> None:
        """Close the file."""
        self._connected = False
        self._database.close()


def _insert(
    db: sqlite3.Connection, owner_code: int, code: int, chunks: Sequence[Chunk], vectors: Vectors
) -> NDArray[np.int64]:
    """Write the rows of a document and return their keys."""
    first = db.execute("SELECT coalesce(max(key), 0) + 1 FROM store_chunks").fetchone()[0]
    keys = np.arange(first, first + len(chunks), dtype=np.int64)
    rows = [
        (int(key), owner_code, code, chunk.n, chunk.page, chunk.start, chunk.end, chunk.text)
        for key, chunk in zip(keys, chunks, strict=True)
    ]
    blobs = [
        (int(key), np.asarray(row, np.float32).tobytes()) for key, row in zip(keys, vectors, strict=True)
    ]
    db.executemany("INSERT INTO store_chunks VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
    db.executemany("INSERT INTO store_vectors VALUES (?, ?)", blobs)
    db.executemany("INSERT INTO store_words (rowid, text) VALUES (?, ?)", [(row[0], row[-1]) for row in rows])
    return keys


def _remove(db: sqlite3.Connection, document_id: str) -> int | None:
    """Delete the rows of a document; return its code, None when it was not there."""
    row = db.execute("SELECT code FROM store_documents WHERE id = ?", (document_id,)).fetchone()
    if row is None:
        return None
    code = int(row["code"])
    # An external-content FTS5 table must be told the old text before it goes.
    db.execute(
        "INSERT INTO store_words (store_words, rowid, text) "
        "SELECT 'delete', key, text FROM store_chunks WHERE document_code = ?", (code,)
    )  # fmt: skip
    for table in ("store_vectors", "store_vectors_next"):
        db.execute(
            f"DELETE FROM {table} WHERE key IN (SELECT key FROM store_chunks WHERE document_code = ?)",
            (code,),
        )
    db.execute("DELETE FROM store_chunks WHERE document_code = ?", (code,))
    db.execute("DELETE FROM store_documents WHERE code = ?", (code,))
    return code
