"""Connections to one SQLite file: one a thread for reading, one lock for writing. WAL.

Knows no tables.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from servicekit.errors import NewerDatabase
from servicekit.sqlite import write_ahead

BUSY_S = 10.0
"""Seconds that SQLite waits for another process's writing."""


class Database:
    """A SQLite file that threads share; `write` is one transaction, and one at a time."""

    def __init__(self, path: Path):
        self._path = path
        self._local = threading.local()
        self._writing = threading.RLock()
        self._all: list[sqlite3.Connection] = []
        path.parent.mkdir(parents=True, exist_ok=True)

    def read(self) -> sqlite3.Connection:
        """Return this thread's connection."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = sqlite3.connect(self._path, check_same_thread=False, isolation_level=None)
            connection.row_factory = sqlite3.Row
            write_ahead(connection, BUSY_S)
            # FULL: what was acknowledged survives a power cut, not only a killed process.
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute("PRAGMA foreign_keys=ON")
            # What is deleted is overwritten, not only forgotten.
            connection.execute("PRAGMA secure_delete=ON")
            self._local.connection = connection
            with self._writing:
                self._all.append(connection)
        return connection

    def claim(self, version: int) -> None:
        """Mark the file's tables as those of `version`; 0 are those from before versions were kept.

        Raises: NewerDatabase, when a newer program made them; nothing is changed.
        """
        found = int(self.read().execute("PRAGMA user_version").fetchone()[0])
        if found > version:
            raise NewerDatabase("svc-rag", found, version)
        if found < version:
            self.read().execute(f"PRAGMA user_version = {version:d}")

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Run the block in one transaction; rolled back when it raises."""
        connection = self.read()
        with self._writing:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:  # SQLite takes it back itself when the disk is full
                    connection.execute("ROLLBACK")
                raise

    def forget_deleted(self) -> None:
        """Empty the log, which still has what was deleted."""
        with self._writing:
            self.read().execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Close every thread's connection."""
        with self._writing:
            for connection in self._all:
                connection.close()
            self._all.clear()
            self._local = threading.local()
