"""`make update` and `make rollback`: newer code over a git checkout, and the way back for code and data.

An update is written down before anything changes (`update.json` in the data folder), so that `make rollback`
finds its way whatever happened. Code only moves along its branch: nothing here forces git. The new code is
started as a process of its own; this one has everything that the way back needs in memory already.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from deploy import files, supervisor
from deploy.backup import commands, contents, postgres, restore
from deploy.console import Stop, say, step, warn
from deploy.layout import Layout

RECORD = "update.json"
NO_CHECKOUT = (
    "This folder is no git checkout with a remote branch, so there is nothing to fetch. To update: make backup, "
    "make down, unpack the new version over this folder (data/, backups/ and .env stay), make up. Docker: the same, "
    "with docker compose up --build -d. If it does not start: unpack the old version again, move data/ away and "
    "make restore FILE=<the backup>."
)
Run = Callable[[str], int]
"""Runs a command (`up`) of the code that lies there now; returns its status."""


@dataclass(frozen=True)
class Update:
    """One update: from which commit to which, and the backup made before it ("": there was nothing to keep)."""

    before: str
    after: str
    backup: str
    state: str = "started"


def update(layout: Layout, timeout_s: float, run: Run | None = None) -> int:
    """Take the newest code of the branch; go back by itself when it does not become ready. 0 when updated.

    Raises: Stop, when there is nothing to do or it must not be done; nothing is changed then.
    """
    run = run or _new_code(layout, timeout_s)
    before, after = _fetched(layout)
    if before == after:
        say(f"up to date: {before[:12]}")
        return 0
    commands.refuse_unfinished(layout)
    _tell_changes(layout, before, after)
    was_running = _stop(layout)
    try:
        now = Update(before, after, _keep_data(layout))
        _write(layout, now)
        with step("new code"):
            _git(layout, "merge", "--ff-only", "--quiet", after)
    except Stop:
        if was_running:
            run("up")
        raise
    if run("up") == 0:
        _write(layout, replace(now, state="done"))
        say(f"updated: {before[:12]} → {after[:12]}. Back to the old version and its data: make rollback")
        return 0
    warn("\nthe new version did not become ready (above it says why): going back")
    _stop(layout)
    _back(layout, now)
    if run("up") == 0:
        warn(f"\nthe old version {before[:12]} runs again with its data; the update was not taken")
    else:
        warn(f"\nthe old version {before[:12]} and its data are in place, and it did not become ready either")
    return 1


def rollback(layout: Layout, timeout_s: float, run: Run | None = None) -> int:
    """Go back to the code and the data from before the last update; what came since stays aside. 0 when it runs.

    Raises: Stop, when there is no update to take back, or files of the program were changed.
    """
    run = run or _new_code(layout, timeout_s)
    now = _read(layout)
    if now is None or now.state == "taken back":
        raise Stop("There is no update to take back. A backup is put back with: make restore FILE=…")
    head = _git(layout, "rev-parse", "HEAD")
    if head not in (now.before, now.after):
        raise Stop(
            f"The code is at {head[:12]}, not at the update to {now.after[:12]}: somebody changed it since. "
            f"Go back yourself: git checkout {now.before[:12]}, then make restore FILE={now.backup}"
        )
    _refuse_changes(layout)
    _stop(layout)
    _back(layout, now)
    return run("up")


def _stop(layout: Layout) -> bool:
    """Stop the stack and tell whether it ran."""
    if not supervisor.running(layout):
        return False
    with step("stop"):
        supervisor.stop(layout)
    return True


def _back(layout: Layout, now: Update) -> None:
    with step("old code"):
        # --keep refuses to lose changes that are not committed
        _git(layout, "reset", "--quiet", "--keep", now.before)
    _empty_postgres(layout, now)
    aside = _move_aside(layout)
    if now.backup:
        commands.put_back(layout, now.backup)
    if aside is not None:
        say(f"    the newer version's data lie in {aside}; remove them when nothing of them is missed")
    _write(layout, replace(now, state="taken back"))


def _move_aside(layout: Layout) -> Path | None:
    """Move what the services keep out of the way and return where it is, None when there is nothing.

    Of a way back that was cut off, what was put back already goes: it is put back again.
    """
    restore.finish_or_clear(layout.data_dir, say)
    names = _with_data(layout)
    if not names:
        return None
    aside = layout.data_dir / "before-rollback" / datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    aside.mkdir(parents=True, mode=0o700)
    for name in names:
        os.rename(layout.data_dir / name, aside / name)
        made_again = [
            aside / name / again for again in contents.MADE_AGAIN if (aside / name / again).is_dir()
        ]
        for folder in made_again:  # what is not in a backup would be fetched again
            (layout.data_dir / name).mkdir(mode=0o700, exist_ok=True)
            shutil.move(folder, layout.data_dir / name / folder.name)
    return aside


def _empty_postgres(layout: Layout, now: Update) -> None:
    """Keep what the newer version wrote into PostgreSQL in a backup of its own, and make room for the older."""
    databases = postgres.databases(commands.database_urls(layout))
    if not now.backup or not databases:
        return
    if _with_data(layout) and not restore.unfinished(layout.data_dir):
        name = f"before-rollback-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}.tar.gz"
        commands.backup(layout, str(layout.root / "backups" / name))
    for database in databases:
        postgres.clear(database)


def _with_data(layout: Layout) -> list[str]:
    return [name for name in contents.present(layout.data_dir) if any(contents.files(layout.data_dir / name))]


def _keep_data(layout: Layout) -> str:
    if not _with_data(layout):
        return ""
    name = f"before-update-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.tar.gz"
    return str(commands.backup(layout, str(layout.root / "backups" / name)))


def _fetched(layout: Layout) -> tuple[str, str]:
    """Fetch and return (the commit that is here, the newest of its branch). Raises: Stop."""
    try:
        inside = _git(layout, "rev-parse", "--show-toplevel")
        upstream = _git(layout, "rev-parse", "--abbrev-ref", "@{upstream}")
    except Stop as error:
        raise Stop(NO_CHECKOUT) from error
    if Path(inside).resolve() != layout.root.resolve():
        raise Stop(NO_CHECKOUT)
    _refuse_changes(layout)
    with step("fetch", upstream):
        _git(layout, "fetch", "--quiet")
    before, after = _git(layout, "rev-parse", "HEAD"), _git(layout, "rev-parse", "@{upstream}")
    if _git(layout, "merge-base", before, after) != before:
        raise Stop(
            f"This checkout has commits of its own that {upstream} has not. Join them yourself (git merge or git "
            "rebase), then: make backup, make restart"
        )
    return before, after


def _refuse_changes(layout: Layout) -> None:
    changed = _git(layout, "status", "--porcelain", "--untracked-files=no")
    if changed:
        first = changed.splitlines()[0].strip()
        raise Stop(
            f"Files of the program were changed here (first: {first}). Commit them or put them aside (git stash)."
        )


def _tell_changes(layout: Layout, before: str, after: str) -> None:
    listed = _git(layout, "log", "--oneline", "--no-decorate", f"{before}..{after}").splitlines()
    say(f"    {len(listed)} changes, the newest: {listed[0]}")


def _git(layout: Layout, *arguments: str) -> str:
    command = ["git", "-C", str(layout.root), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise Stop("git is missing: sudo apt-get install git") from error
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise Stop(f"git {arguments[0]} failed: {said[-1] if said else done.returncode}")
    return done.stdout.strip()


def _new_code(layout: Layout, timeout_s: float) -> Run:
    options = ["--data-dir", str(layout.data_dir), "--port-offset", str(layout.port_offset)]

    def run(name: str) -> int:
        command = [sys.executable, "-m", "deploy.run", *options, "--timeout", str(timeout_s), name]
        return subprocess.run(command, cwd=layout.root, check=False).returncode

    return run


def _write(layout: Layout, now: Update) -> None:
    layout.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    files.write(layout.data_dir / RECORD, json.dumps(asdict(now)))


def _read(layout: Layout) -> Update | None:
    try:
        return Update(**json.loads((layout.data_dir / RECORD).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
