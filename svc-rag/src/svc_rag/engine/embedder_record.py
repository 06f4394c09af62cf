"""What outlives a restart about the embedder: the space last seen in a store elsewhere, and which move is paused."""

from __future__ import annotations

from svc_rag.engine.base import Space
from svc_rag.engine.database import Database

_SCHEMA = "CREATE TABLE IF NOT EXISTS embedder_notes (name TEXT PRIMARY KEY, value TEXT NOT NULL)"
_SPACE, _PAUSED = "space", "paused"


class EmbedderRecord:
    """Notes in the service's SQLite file."""

    def __init__(self, database: Database):
        self._database = database
        database.read().execute(_SCHEMA)

    def space(self) -> Space | None:
        """Return the space that a store elsewhere had when it was seen last."""
        found = self._get(_SPACE)
        return Space.read(found) if found else None

    def remember(self, space: Space) -> None:
        """Keep the space of a store elsewhere: made anew, it gets the same."""
        if self.space() != space:
            self._set(_SPACE, str(space))

    def is_paused(self, job_id: str) -> bool:
        """Tell whether the move that a job carries out is paused."""
        return self._get(_PAUSED) == job_id

    def pause(self, job_id: str | None) -> None:
        """Pause the move of a job; None: nothing is paused."""
        self._set(_PAUSED, job_id or "")

    def _get(self, name: str) -> str:
        sql = "SELECT value FROM embedder_notes WHERE name = ?"
        row = self._database.read().execute(sql, (name,)).fetchone()
        return str(row[0]) if row else ""

    def _set(self, name: str, value: str) -> None:
        with self._database.write() as db:
            db.execute("INSERT OR REPLACE INTO embedder_notes VALUES (?, ?)", (name, value))
