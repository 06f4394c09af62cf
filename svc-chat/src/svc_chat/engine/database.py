"""Opens the database of svc-chat and brings its tables up to date. SQLite by default, PostgreSQL by URL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, event, inspect, text
from sqlalchemy.engine import Engine as Database
from sqlalchemy.exc import DataError, InterfaceError, OperationalError

from servicekit.errors import BadRequest, NewerDatabase
from servicekit.sqlite import write_ahead
from svc_chat.errors import HistoryAway

_MIGRATIONS = Path(__file__).resolve().parents[1] / "migrations"
_BEFORE_MIGRATIONS = "0001"
"""What a database holds that was made before there were migrations."""
VERSION_TABLE = "svc_chat_version"
"""Where Alembic keeps which step the tables have seen (`migrations/env.py` says it too)."""
BUSY_S = 5.0
"""Seconds that SQLite waits for another writer."""
_LOCK = 0x0F1C1A
"""Number of the advisory lock that lets one of several starting processes migrate."""


def open_database(sql_url: str) -> Database:
    """Open (and create if needed) the database at an SQLAlchemy URL; its tables are the newest afterwards.

    Raises:
        NewerDatabase: a newer program made them; nothing is changed.
    """
    database = create_engine(sql_url, pool_pre_ping=not sql_url.startswith("sqlite"))
    if database.dialect.name == "sqlite":
        event.listen(database, "connect", _sqlite_connection)
        event.listen(database, "begin", _sqlite_begin)
    with writing(database) as connection:
        _migrate(connection)
    return database


@contextmanager
def reading(database: Database) -> Iterator[Connection]:
    """Lend a connection for queries; raises HistoryAway when the database fails."""
    with _translated(), database.connect() as connection:
        yield connection


@contextmanager
def writing(database: Database, *, through_power_loss: bool = True) -> Iterator[Connection]:
    """Lend a connection for one transaction; raises HistoryAway when the database fails.

    A transaction that need not outlive a loss of power, only the end of the process, does not wait for the
    disk: 1.4 ms instead of 8 ms (SQLite, two cores, 2026-11-26). The next one that does waits for it as well.

    SQLite's takes the write lock when it begins: one that reads first and wants to write later is
    refused at once when another has written meanwhile, however long `busy_timeout` is.
    """
    sync = "FULL" if through_power_loss else "NORMAL"
    writer = database.execution_options(sqlite_begin="IMMEDIATE", sqlite_sync=sync)
    with _translated(), writer.begin() as connection:
        yield connection


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        raise HistoryAway() from error
    except DataError as error:  # PostgreSQL's text holds no NUL character
        raise BadRequest("An id or a name holds a character that cannot be kept. Leave it out.") from error


def forget_deleted(database: Database) -> None:
    """Take deleted text out of SQLite's files as well: its pages are zeroed, its log is emptied."""
    if database.dialect.name != "sqlite":
        return
    with database.execution_options(sqlite_begin="").connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")


def _migrate(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    there = inspect(connection).get_table_names()
    if VERSION_TABLE not in there and "personas" in there:
        command.stamp(config, _BEFORE_MIGRATIONS)
    _refuse_newer(connection, ScriptDirectory.from_config(config))
    command.upgrade(config, "head")


def _refuse_newer(connection: Connection, ours: ScriptDirectory) -> None:
    known = {step.revision for step in ours.walk_revisions()}
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
    for found in context.get_current_heads():
        if found not in known:
            raise NewerDatabase("svc-chat", found, ours.get_current_head() or "0")


def _sqlite_connection(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # transactions begin where `_sqlite_begin` says so
    write_ahead(connection, BUSY_S)
    for pragma in ("synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _sqlite_begin(connection: Connection) -> None:
    options = connection.get_execution_options()
    mode = options.get("sqlite_begin", "DEFERRED")
    if mode == "IMMEDIATE":
        connection.exec_driver_sql(f"PRAGMA synchronous={options.get('sqlite_sync', 'FULL')}")
    if mode:
        connection.exec_driver_sql(f"BEGIN {mode}")
