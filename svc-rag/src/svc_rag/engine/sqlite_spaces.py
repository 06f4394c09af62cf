"""The vectors of a space that is being filled, beside those that are searched. Part of `sqlite_store`.

They gather in a table of their own, by the same keys; taking over is a renaming of tables, in one transaction with the
note of whose vectors they are.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from svc_rag.engine.base import Chunk, Space, StoredChunk, Vectors
from svc_rag.engine.database import Database

EMBEDDING = "embedding"
"""Name, in `store_meta`, of the space that is searched."""
_NEXT = "embedding_next"
_LACKING = """
SELECT c.key, c.n, c.page, c.start, c.stop, c.text, d.id AS document_id, o.owner FROM store_chunks c
JOIN store_documents d ON d.code = c.document_code JOIN store_owners o ON o.code = c.owner_code
LEFT JOIN store_vectors_next v ON v.key = c.key WHERE c.key > ? AND v.key IS NULL ORDER BY c.key LIMIT ?
"""


class NextSpace:
    """The space that takes over once nothing is lacking in it."""

    def __init__(self, database: Database):
        self._database = database
        self._looked_at = 0
        """Up to this key nothing was lacking; later something may be again."""

    def begin(self, space: Space) -> None:
        if self._begun() == space:
            return
        with self._database.write() as db:
            db.execute("DELETE FROM store_vectors_next")
            db.execute("INSERT OR REPLACE INTO store_meta VALUES (?, ?)", (_NEXT, str(space)))
        self._looked_at = 0

    def lacking(self, limit: int) -> Sequence[StoredChunk]:
        rows = self._database.read().execute(_LACKING, (self._looked_at, limit)).fetchall()
        if not rows and self._looked_at:
            self._looked_at = 0
            rows = self._database.read().execute(_LACKING, (0, limit)).fetchall()
        return [
            StoredChunk(
                row["document_id"], row["owner"],
                Chunk(row["n"], row["text"], row["start"], row["stop"], row["page"]), row["key"],
            )
            for row in rows
        ]  # fmt: skip

    def fill(self, chunks: Sequence[StoredChunk], vectors: Vectors) -> None:
        # A key may have been deleted, or given to another text, since it was read.
        sql = (
            "INSERT OR REPLACE INTO store_vectors_next "
            "SELECT key, ? FROM store_chunks WHERE key = ? AND text = ?"
        )
        rows = [
            (np.asarray(vector, np.float32).tobytes(), stored.key, stored.chunk.text)
            for stored, vector in zip(chunks, vectors, strict=True)
        ]
        with self._database.write() as db:
            db.executemany(sql, rows)
        self._looked_at = max(self._looked_at, *(stored.key for stored in chunks))

    def filled(self) -> tuple[int, int]:
        db = self._database.read()
        return tuple(
            int(db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
            for table in ("store_vectors_next", "store_chunks")
        )  # type: ignore[return-value]

    def take_over(self) -> Space | None:
        """Let the new vectors take the old ones' place; None: something is lacking, or nothing was begun."""
        space = self._begun()
        if space is None:
            return None
        with self._database.write() as db:
            if db.execute(_LACKING, (0, 1)).fetchone() is not None:
                return None
            db.execute("DROP TABLE IF EXISTS store_vectors_old")
            db.execute("ALTER TABLE store_vectors RENAME TO store_vectors_old")
            db.execute("ALTER TABLE store_vectors_next RENAME TO store_vectors")
            db.execute("CREATE TABLE store_vectors_next (key INTEGER PRIMARY KEY, vector BLOB NOT NULL)")
            db.execute("INSERT OR REPLACE INTO store_meta VALUES (?, ?)", (EMBEDDING, str(space)))
            db.execute("DELETE FROM store_meta WHERE name = ?", (_NEXT,))
        return space

    def drop_old(self) -> None:
        """Free the disk of vectors that are searched no more."""
        with self._database.write() as db:
            db.execute("DROP TABLE IF EXISTS store_vectors_old")

    def abandon(self) -> None:
        """Forget what was begun."""
        with self._database.write() as db:
            db.execute("DELETE FROM store_vectors_next")
            db.execute("DELETE FROM store_meta WHERE name = ?", (_NEXT,))

    def _begun(self) -> Space | None:
        row = (
            self._database.read().execute("SELECT value FROM store_meta WHERE name = ?", (_NEXT,)).fetchone()
        )
        return Space.read(row[0]) if row else None
