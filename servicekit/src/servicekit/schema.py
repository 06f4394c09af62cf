"""The version of the tables that a program part keeps, and the steps that bring older ones up to date.

One row a part in `schema_versions`, in SQLite and PostgreSQL alike. svc-chat's history has Alembic and
svc-rag's own file SQLite's `user_version`; all three refuse a database of a newer program with `NewerDatabase`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import sqlalchemy as sa

from servicekit.errors import NewerDatabase

Step = Callable[[sa.Connection], object]
_LOCK = 0x0F1C1B
"""Number of PostgreSQL's advisory lock that lets one of several starting processes change tables."""
_versions = sa.Table(
    "schema_versions",
    sa.MetaData(),
    sa.Column("part", sa.String(60), primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
)


def bring_up_to_date(engine: sa.Engine, part: str, tables: sa.MetaData, steps: Sequence[Step] = ()) -> None:
    """Make the tables that are missing and run the steps that the others have not seen, in one transaction.

    Tables begin at version 1, also those from before versions were kept; each step, which changes tables
    that are there, counts up. New tables need no step and new databases see none.

    Raises:
        NewerDatabase: the tables have seen more steps than this program knows; nothing is changed.
    """
    newest = 1 + len(steps)
    with engine.begin() as db:
        if engine.dialect.name == "sqlite":
            db.exec_driver_sql("BEGIN IMMEDIATE")
        elif engine.dialect.name == "postgresql":
            db.execute(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        there = set(sa.inspect(db).get_table_names())
        kept = _kept_version(db, part) if _versions.name in there else None
        found = kept or (newest if there.isdisjoint(tables.tables) else 1)
        if found > newest:
            raise NewerDatabase(part, found, newest)
        for step in steps[found - 1 :]:
            step(db)
        tables.create_all(db)
        if kept != newest:
            _versions.create(db, checkfirst=True)
            db.execute(sa.delete(_versions).where(_versions.c.part == part))
            db.execute(sa.insert(_versions).values(part=part, version=newest))


def _kept_version(db: sa.Connection, part: str) -> int | None:
    query = sa.select(_versions.c.version).where(_versions.c.part == part)
    return db.execute(query).scalar_one_or_none()
