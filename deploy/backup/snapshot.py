"""A picture of all folders at one time, taken while services write: hard links to files, copies of databases.

Files are never changed in place (written beside, then renamed), so that a hard link holds what was there.
They are linked before the databases are copied and once more afterwards: what a copied record names was there
when it was copied, so it is caught before or after, even when it is deleted in between. Only a file that came
and went within the copying escapes; `records_without_file` finds it, and the copy is taken again.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from deploy.backup import contents
from deploy.console import Stop

BUSY_S = 30.0
"""Seconds that a database may be locked by others."""
ATTEMPTS = 5


@contextmanager
def taken(root: Path, dump: Callable[[Path], object] = lambda _: None) -> Iterator[list[tuple[str, Path]]]:
    """Lend the files of a snapshot: (name in the archive, where it lies). They are gone when the block ends.

    `dump` is called when databases are copied and puts dumps of other databases into the folder it gets.

    Raises: Stop, when there is nothing, another backup runs, or a database is damaged.
    """
    names = contents.present(root)
    if not names:
        raise Stop(f"There is nothing to back up in {root}; is this the right data folder?")
    with _alone(root / names[0]):
        _clear(root, names)
        try:
            _take(root, names, dump)
            yield _listed(root, names)
        finally:
            _clear(root, names)


def _take(root: Path, names: list[str], dump: Callable[[Path], object]) -> None:
    for name in names:
        _link(root / name)
    for _ in range(ATTEMPTS):
        for name in names:
            _copy_databases(root / name)
        dump(root / names[0] / contents.WORK / "postgres")
        for name in names:
            _link(root / name)
            contents.drop_orphans(root / name / contents.WORK)
        if not (missing := _without_file(root, names)):
            return
    raise Stop(f"{len(missing)} records have no file (first: {missing[0]}); delete them and try again.")


def _without_file(root: Path, names: list[str]) -> list[str]:
    return [gone for name in names for gone in contents.records_without_file(root / name / contents.WORK)]


def _link(folder: Path) -> None:
    """Link the files that are new or were replaced since the last time."""
    for file in contents.files(folder):
        copy = folder / contents.WORK / file.relative_to(folder)
        try:
            if contents.is_database(file) or (copy.exists() and copy.samefile(file)):
                continue
            copy.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            copy.unlink(missing_ok=True)
            try:
                os.link(file, copy)
            except OSError as error:
                if isinstance(error, FileNotFoundError):
                    raise
                shutil.copyfile(file, copy)  # a filesystem without hard links
        except FileNotFoundError:
            continue  # deleted meanwhile


def _copy_databases(folder: Path) -> None:
    for file in contents.files(folder):
        if contents.is_database(file):
            copy = folder / contents.WORK / file.relative_to(folder)
            copy.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            copy.unlink(missing_ok=True)
            copy_database(file, copy)


def copy_database(source: Path, target: Path) -> None:
    """Write the state of an SQLite file at one time, without free pages, so without deleted text.

    Others may read and write meanwhile. Raises: Stop, when it is damaged or locked for long.
    """
    try:
        with closing(sqlite3.connect(source, timeout=BUSY_S, isolation_level=None)) as db:
            db.execute("VACUUM INTO ?", (str(target),))
        with closing(sqlite3.connect(target)) as db:
            found = db.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.Error as error:
        raise Stop(
            f"The database {source.parent.name}/{source.name} cannot be copied: {error}. "
            "If it is locked, try again; if it is damaged, restore an older backup."
        ) from error
    if found != "ok":
        raise Stop(f"The database {source.parent.name}/{source.name} is damaged: {found}.")
    target.chmod(0o600)


def _listed(root: Path, names: list[str]) -> list[tuple[str, Path]]:
    found = []
    for name in names:
        work = root / name / contents.WORK
        for file in sorted(path for path in work.rglob("*") if path.is_file()):
            inside = file.relative_to(work)
            dumped = inside.parts[0] == "postgres" and name == names[0]
            found.append((inside.as_posix() if dumped else f"{name}/{inside.as_posix()}", file))
    return found


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the lock of backups; the kernel lets go of it when the process dies."""
    descriptor = os.open(folder / f"{contents.WORK}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Stop("Another backup of this stack is being made; try again when it has ended.") from error
        yield
    finally:
        os.close(descriptor)


def _clear(root: Path, names: list[str]) -> None:
    for name in names:
        shutil.rmtree(root / name / contents.WORK, ignore_errors=True)
