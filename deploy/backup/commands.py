"""`make backup` and `make restore`, for `make up` and for Docker: files, folders and what is told."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from deploy import files, services, supervisor
from deploy.backup import archive, making, postgres, restore
from deploy.backup.archive import Manifest
from deploy.backup.postgres import Database
from deploy.console import Stop, say, step
from deploy.files import size_of
from deploy.layout import Layout

SQL = ("gateway", "svc-chat", "svc-image-gen", "svc-rag")
"""Services that DATABASE_URL moves from SQLite to PostgreSQL."""
COMPOSE = ("docker", "compose", "run", "--rm", "-T", "--no-deps", "backup")
_DRAFT_STALE_S = 3600.0


def backup(layout: Layout, to: str | None, *, docker: bool = False, logs: bool = False) -> Path:
    """Make a backup, check it and return where it lies.

    Raises: Stop, also when the disk is full; no half archive has the final name.
    """
    target = _target(layout, to)
    with step("backup"), _told_full(target), files.drafting(target) as out:
        _from_docker(layout, out) if docker else _from_folders(layout, out, logs)
        out.seek(0)
        manifest = archive.read(out, say)
        out.seek(0, os.SEEK_END)
    _tell_of(target, manifest)
    return target


def _from_folders(layout: Layout, out: BinaryIO, logs: bool) -> None:
    found = postgres.databases(database_urls(layout))

    def dump(folder: Path) -> None:
        for database in found:
            postgres.dump(database, folder / Path(database.name).name)

    extra = [("settings/env", layout.root / ".env")] if (layout.root / ".env").is_file() else []
    with tempfile.TemporaryDirectory() as folder:
        extra += _copied_logs(layout, Path(folder)) if logs else []
        named = {database.name: list(database.services) for database in found}
        making.make(layout.data_dir, layout.root, out, say, extra=extra, dump=dump, postgres=named)


def _copied_logs(layout: Layout, folder: Path) -> list[tuple[str, Path]]:
    """Copy logs as far as they are written: they grow while they are read."""
    copies = []
    for log in sorted(layout.log_dir.glob("*.log*")):
        copy = folder / log.name
        copy.write_bytes(log.read_bytes())
        copies.append((f"logs/{log.name}", copy))
    return copies


def _from_docker(layout: Layout, out: BinaryIO) -> None:
    settings = layout.root / ".env"
    with (settings if settings.is_file() else Path(os.devnull)).open("rb") as told:
        done = subprocess.run((*COMPOSE, "write"), cwd=layout.root, stdin=told, stdout=out, check=False)
    if done.returncode:
        raise Stop(f"The container that makes the backup failed (status {done.returncode}); see above.")


def put_back(layout: Layout, name: str, *, docker: bool = False) -> Manifest:
    """Put a backup into an empty stack that does not run.

    Raises: Stop; whatever the reason, the stack is then as it was.
    """
    file = Path(name).expanduser()
    if not file.is_file():
        raise Stop(f"There is no file {name!r}. Usage: make restore FILE=backups/oficina-….tar.gz")
    if not os.access(file, os.R_OK):
        raise Stop(f"{name} may not be read by you; a backup belongs to whoever made it.")
    _must_not_run(layout, docker)
    with step("check"), file.open("rb") as stream:
        manifest = archive.read(stream, say)
    loaded = [] if docker else _databases_for(layout, manifest)
    with step("restore"), tempfile.TemporaryDirectory() as folder, file.open("rb") as stream:
        if docker:
            done = subprocess.run((*COMPOSE, "restore"), cwd=layout.root, stdin=stream, check=False)
            if done.returncode:
                raise Stop(f"The container that restores failed (status {done.returncode}); see above.")
        else:
            layout.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
            _into_folders(layout, stream, Path(folder), loaded)
    _put_settings_back(layout, file, manifest)
    say(f"    {len(manifest.files)} files of {manifest.created_at}, version {manifest.version}")
    say(f"    now start: {'docker compose up -d' if docker else 'make up'}")
    return manifest


def _into_folders(layout: Layout, stream: BinaryIO, folder: Path, loaded: list[Database]) -> None:
    with _told_full(layout.data_dir):
        restore.unpack(layout.data_dir, stream, say, folder)
    try:
        for database in loaded:
            postgres.load(database, folder / database.name)
    except BaseException:
        restore.finish_or_clear(layout.data_dir, lambda _: None)
        raise
    restore.commit(layout.data_dir)
    for log in sorted((folder / "logs").glob("*")) if (folder / "logs").is_dir() else []:
        (layout.log_dir / "restored").mkdir(parents=True, exist_ok=True, mode=0o700)
        (layout.log_dir / "restored" / log.name).write_bytes(log.read_bytes())


def _databases_for(layout: Layout, manifest: Manifest) -> list[Database]:
    """Find where each dump goes; every such database must be empty. Raises: Stop."""
    urls = database_urls(layout)
    for service, url in urls.items():
        inside = {f"{service}/service.db", f"{service}/gateway.db"} & set(manifest.files)
        if url.startswith("postgres") and inside:
            raise Stop(
                f"The backup has {service}'s records in SQLite and DATABASE_URL names PostgreSQL, where they "
                "would not be found. Restore without DATABASE_URL."
            )
    found = []
    for name, names in manifest.postgres.items():
        wanted = {urls.get(service, "") for service in names}
        url = wanted.pop()
        if wanted or not url.startswith("postgres"):
            raise Stop(
                f"The backup holds a PostgreSQL database of {', '.join(names)}. Make an empty one (createdb) "
                "and name it in DATABASE_URL before you restore."
            )
        found.append(Database(name, url, tuple(names)))
    for database in found:
        postgres.check_empty(database)
    return found


def _put_settings_back(layout: Layout, file: Path, manifest: Manifest) -> None:
    """Write `.env` where there is none; beside another one, as `.env.restored`."""
    if "settings/env" not in manifest.files:
        return
    kept: list[bytes] = []

    @contextmanager
    def keep(name: str) -> Iterator[BinaryIO]:
        with tempfile.TemporaryFile() as out:
            yield out
            if name == "settings/env":
                out.seek(0)
                kept.append(out.read())

    with file.open("rb") as stream:
        archive.read(stream, lambda _: None, keep)
    own = layout.root / ".env"
    if own.is_file() and own.read_bytes() == kept[0]:
        return
    target = own.with_name(".env.restored") if own.is_file() else own
    files.write(target, kept[0].decode())
    say(f"    settings: {target.name}" + ("" if target == own else " (.env is another one: compare them)"))


def database_urls(layout: Layout) -> dict[str, str]:
    """Return each service's database URL as its settings read it; empty: SQLite."""
    found = {}
    for service in services.ALL:
        if service.name in SQL:
            names = (f"{service.prefix}_DATABASE_URL", "DATABASE_URL")
            values = [layout.env.get(name, "") for name in names]
            for secret in filter(None, (layout.env.get(f"{name}_FILE") for name in names)):
                values.append(Path(secret).read_text(encoding="utf-8").strip())
            found[service.name] = next(filter(None, values), "")
    return found


def refuse_unfinished(layout: Layout) -> None:
    """Raises: Stop, when a restore was cut off."""
    if names := restore.unfinished(layout.data_dir):
        raise Stop(
            f"A restore was cut off ({', '.join(names)}). Run it again: make restore FILE=…; or start empty "
            "by removing the data folder."
        )


def _must_not_run(layout: Layout, docker: bool) -> None:
    if docker:
        command = ("docker", "compose", "ps", "--services", "--status", "running")
        done = subprocess.run(command, cwd=layout.root, capture_output=True, text=True, check=False)
        running = done.stdout.split()
        if done.returncode or running:
            said = done.stderr.strip() or f"{', '.join(running)} run"
            raise Stop(f"The containers must be stopped first: docker compose stop ({said})")
    elif supervisor.running(layout):
        raise Stop("The stack is running: make down first.")


def _target(layout: Layout, to: str | None) -> Path:
    folder = Path(to).expanduser() if to else layout.root / "backups"
    name = f"oficina-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.tar.gz"
    if to and not to.endswith("/") and not folder.is_dir():
        folder, name = folder.parent, folder.name
    with _told_full(folder):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    target = folder.resolve() / name
    if target.exists():
        raise Stop(f"There is a file {target} already; name another with TO=.")
    for draft in folder.glob(".oficina-*.tmp"):
        if time.time() - draft.stat().st_mtime > _DRAFT_STALE_S:
            draft.unlink(missing_ok=True)
    return target


@contextmanager
def _told_full(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Stop(
            f"{target} could not be written: {error.strerror}. Free some disk space, or name a place that you may "
            "write (TO=)."
        ) from error


def _tell_of(target: Path, manifest: Manifest) -> None:
    say(
        f"    {target}: {size_of(target.stat().st_size)}, {len(manifest.files)} files of {size_of(manifest.bytes)}"
    )
    for item in manifest.left_out:
        if item["bytes"] > 2**20:
            say(f"    left out: {item['path']} ({size_of(item['bytes'])}): {item['why']}")
    say("    It holds password hashes, keys and conversations: keep it private (only you can read it now).")
