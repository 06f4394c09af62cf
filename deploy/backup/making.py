"""Makes one backup: snapshot, manifest, archive. Knows no command line and not how the stack is run."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from deploy.backup import archive, contents, snapshot
from deploy.backup.archive import Manifest, Tell

_VERSION = re.compile(r'__version__ = "([^"]+)"')


def make(
    data: Path,
    program: Path,
    out: BinaryIO,
    tell: Tell,
    *,
    extra: Sequence[tuple[str, Path]] = (),
    dump: Callable[[Path], object] = lambda _: None,
    postgres: dict[str, list[str]] | None = None,
) -> Manifest:
    """Write a backup of the folders in `data`; `program` is the repository (or what an image holds of it).

    `extra` are more files by their names in the archive, `dump` puts dumps of other databases into a folder
    and `postgres` names the services of each.

    Raises:
        Stop: nothing is there, another backup runs, or a database cannot be copied.
        OSError: the disk is full.
    """
    with snapshot.taken(data, dump) as found:
        files = [*found, *extra]
        tell(f"    {len(files)} files held; the stack goes on")
        manifest = Manifest(
            version=_version(program),
            commit=commit_of(program),
            created_at=datetime.now(UTC).isoformat(timespec="seconds"),
            files=archive.checksums(files, tell),
            postgres=postgres or {},
            left_out=[
                asdict(item) for name in contents.present(data) for item in contents.left_out(data / name)
            ],
        )
        archive.write(out, manifest, files, tell)
    return manifest


def _version(program: Path) -> str:
    file = program / "servicekit" / "src" / "servicekit" / "__init__.py"
    found = _VERSION.search(file.read_text(encoding="utf-8")) if file.is_file() else None
    return found[1] if found else "unknown"


def commit_of(program: Path) -> str:
    """Return the git commit of a checkout; empty where it is none."""
    command = ["git", "-C", str(program), "rev-parse", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
