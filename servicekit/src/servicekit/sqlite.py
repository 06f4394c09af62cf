"""What each SQLite connection of the stack begins with: a log beside the file, and patience with other writers."""

from __future__ import annotations

import sqlite3
import time
from typing import Any

_AGAIN_S = 0.01


def write_ahead(connection: Any, busy_s: float) -> None:
    """Have a DB-API connection wait up to `busy_s` seconds for locks, and its file keep a write-ahead log.

    The first change of a new file to that log is refused at once, whatever SQLite was told about waiting,
    when another process does the same just then; so it is tried again.

    Raises: sqlite3.OperationalError, when the file stays locked.
    """
    connection.execute(f"PRAGMA busy_timeout={round(busy_s * 1000)}")
    deadline = time.monotonic() + busy_s
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(_AGAIN_S)
