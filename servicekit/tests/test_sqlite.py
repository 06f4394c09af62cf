"""Several processes may open a new SQLite file at once."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from servicekit.sqlite import write_ahead


class BusyAtFirst:
    """A connection whose first changes of the journal are refused, as when others open the same new file."""

    def __init__(self, refusals: int, code: int = sqlite3.SQLITE_BUSY):
        self.left, self._code, self.said = refusals, code, list[str]()

    def execute(self, statement: str) -> None:
        self.said.append(statement)
        if "journal_mode" in statement and self.left:
            self.left -= 1
            error = sqlite3.OperationalError("database is locked")
            error.sqlite_errorcode = self._code
            raise error


def test_a_file_that_is_busy_at_first_is_tried_again() -> None:
    connection = BusyAtFirst(3)
    write_ahead(connection, 60)
    assert connection.said == ["PRAGMA busy_timeout=60000"] + ["PRAGMA journal_mode=WAL"] * 4


def test_a_file_that_stays_busy_is_an_error() -> None:
    with pytest.raises(sqlite3.OperationalError):
        write_ahead(BusyAtFirst(10_000), 0.05)


def test_another_fault_is_told_at_once() -> None:
    connection = BusyAtFirst(1, sqlite3.SQLITE_READONLY)
    with pytest.raises(sqlite3.OperationalError):
        write_ahead(connection, 5)
    assert len(connection.said) == 2


def test_many_may_open_a_new_file_at_once(tmp_path: Path) -> None:
    def open_and_write(number: int) -> str:
        file = tmp_path / f"{number // 8}.db"
        with closing(sqlite3.connect(file, isolation_level=None)) as connection:
            write_ahead(connection, 60)
            connection.execute("CREATE TABLE IF NOT EXISTS things (id)")
            return str(connection.execute("PRAGMA journal_mode").fetchone()[0])

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(open_and_write, range(8 * 50))) == {"wal"}
