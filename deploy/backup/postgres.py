"""Dumps PostgreSQL databases and loads them again with PostgreSQL's own programs. Passwords stay out of arguments."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from deploy.console import Stop

_CLEAR = """
DO $$ DECLARE name text; BEGIN
  FOR name IN SELECT nspname FROM pg_namespace
    WHERE nspname <> 'information_schema' AND nspname NOT LIKE 'pg\\_%' LOOP
    EXECUTE format('DROP SCHEMA %I CASCADE', name);
  END LOOP;
  CREATE SCHEMA public;
END $$
"""
_TABLES = (
    "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'S') "
    "AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'"
)


@dataclass(frozen=True)
class Database:
    """One database and the services that keep their records in it; `name` is its dump's in the archive."""

    name: str
    url: str
    services: tuple[str, ...]

    @property
    def shown(self) -> str:
        """The address without the password."""
        return _without_password(self.url)[0]


def databases(urls: Mapping[str, str]) -> list[Database]:
    """Return the PostgreSQL databases among the services' URLs, each once."""
    by_url: dict[str, list[str]] = {}
    for service, url in urls.items():
        if url.startswith("postgres"):
            by_url.setdefault(url, []).append(service)
    pairs = enumerate(by_url.items(), start=1)
    return [Database(f"postgres/{number}.dump", url, tuple(names)) for number, (url, names) in pairs]


def dump(database: Database, target: Path) -> None:
    """Write the state of a database at one time. Raises: Stop."""
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    options = ("--format=custom", "--no-owner", "--no-privileges", f"--file={target}")
    _run(("pg_dump", *options), database)
    target.chmod(0o600)


def check_empty(database: Database) -> None:
    """Raises: Stop, when the database holds tables or cannot be asked."""
    count = _run(("psql", "-X", "-A", "-t", "-c", _TABLES), database).strip()
    if count != "0":
        raise Stop(
            f"The database {database.shown} holds {count} tables. A backup is only put into an empty one: "
            "make a new one with createdb and name it in DATABASE_URL."
        )


def clear(database: Database) -> None:
    """Remove everything that a database holds, or nothing. Raises: Stop."""
    _run(("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", _CLEAR), database)


def load(database: Database, source: Path) -> None:
    """Put a dump into an empty database, all of it or nothing. Raises: Stop."""
    options = ("--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges")
    _run(("pg_restore", *options, str(source)), database)


def _run(command: tuple[str, ...], database: Database) -> str:
    address, password = _without_password(database.url)
    env = {**os.environ, **({"PGPASSWORD": password} if password else {})}
    program, *rest = command
    try:
        done = subprocess.run(
            (program, f"--dbname={address}", *rest), capture_output=True, text=True, check=False, env=env
        )
    except FileNotFoundError as error:
        raise Stop(
            f"{program} is missing: sudo apt-get install postgresql-client (not older than the server)."
        ) from error
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise Stop(f"{program} failed for {database.shown}: {said[-1] if said else done.returncode}")
    return done.stdout


def _without_password(url: str) -> tuple[str, str]:
    """Return the address as PostgreSQL's programs read it, and the password."""
    parts = urlsplit(url)
    account, at, host = parts.netloc.rpartition("@")
    user = account.partition(":")[0]
    return urlunsplit(parts._replace(scheme="postgresql", netloc=user + at + host)), unquote(
        parts.password or ""
    )
