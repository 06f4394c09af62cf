"""Keeps the logs of the local stack for some days and not longer; runs beside the services, once an hour.

Each day it puts every log aside under its date, and it removes what was last written longer ago than
`LOG_RETENTION_DAYS`: no line is older than that and a day. supervisord writes the logs: it is asked to open them anew, so that no line is lost.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from deploy import files
from deploy.layout import Layout

EVERY_S = 3600.0
DAY_S = 86_400.0
DEFAULT_DAYS = 30.0
STATE = "swept.json"


@dataclass(frozen=True)
class Removed:
    """What one round removed and put aside."""

    items: int = 0
    bytes: int = 0
    put_aside: int = 0


def retention_days(layout: Layout) -> float:
    """Return LOG_RETENTION_DAYS. Raises: ValueError, when it is no number above 0."""
    value = layout.env.get("LOG_RETENTION_DAYS") or str(DEFAULT_DAYS)
    try:
        days = float(value)
    except ValueError:
        days = -1.0
    if not days > 0:
        raise ValueError(f"LOG_RETENTION_DAYS is {value!r}; use a number of days above 0")
    return days


def command(layout: Layout) -> list[str]:
    """Return how it is started."""
    told = [
        "--logs",
        str(layout.log_dir),
        "--run",
        str(layout.run_dir),
        "--days",
        str(retention_days(layout)),
    ]
    return [str(layout.python), "-m", "deploy.upkeep", *told]


def put_aside(folder: Path, since: str) -> list[Path]:
    """Rename every log that is not empty, under the day `since` which it goes on; return the new names.

    Whoever writes them must open them anew. One that cannot be renamed is told, and keeps no other from it.
    """
    renamed = []
    for file in sorted(folder.glob("*.log")):
        try:
            if file.stat().st_size:
                target, number = file.with_name(f"{file.name}.{since}"), 1
                while target.exists():
                    target, number = file.with_name(f"{file.name}.{since}-{number}"), number + 1
                renamed.append(file.rename(target))
        except OSError as error:
            _tell("WARNING", "not put aside", file=file.name, reason=type(error).__name__, errno=error.errno)
    return renamed


def forget(folder: Path, days: float, now: float, *, in_use: bool) -> Removed:
    """Remove logs, restored ones too, that were last written more than `days` ago.

    While they are `in_use`, what is being written stays, however quiet: lines would go into a nameless file.
    """
    count = size = 0
    for file in folder.rglob("*.log*"):
        if in_use and file.parent == folder and file.suffix == ".log":
            continue
        try:
            facts = file.stat()
            if now - facts.st_mtime > days * DAY_S:
                file.unlink()
                count, size = count + 1, size + facts.st_size
        except FileNotFoundError:
            continue
    return Removed(count, size)


def look(logs: Path, run: Path, days: float, now: float) -> Removed:
    """Do one round; what was removed in all is in `swept.json` of `run`, for `make status`."""
    state = run / STATE
    known = _read(state)
    today, since = _day(now), str(known.get("day", _day(now)))
    found = forget(logs, days, now, in_use=True)
    total = {
        "items": int(known.get("items", 0)) + found.items,
        "bytes": int(known.get("bytes", 0)) + found.bytes,
    }
    # before logs are put aside: a disk too full for this would have them put aside anew at each round
    files.write(state, json.dumps({"day": today, **total}))
    renamed = put_aside(logs, since) if since < today else []
    if renamed:
        _open_anew(run / "supervisord.pid")
    return Removed(found.items, found.bytes, len(renamed))


def removed_so_far(layout: Layout) -> Removed:
    """Return what was removed since the data folder was made."""
    known = _read(layout.run_dir / STATE)
    return Removed(int(known.get("items", 0)), int(known.get("bytes", 0)))


def _read(state: Path) -> dict[str, Any]:
    try:
        found = json.loads(state.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _day(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).date().isoformat()


def _open_anew(pid_file: Path) -> None:
    try:
        os.kill(int(pid_file.read_text()), signal.SIGUSR2)
    except (OSError, ValueError):
        pass  # supervisord is starting or gone; it opens the logs itself


def _tell(level: str, message: str, **fields: object) -> None:
    event = {
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "level": level,
        "message": message,
        "service": "upkeep",
        "kind": "logs",
        **fields,
    }
    with suppress(OSError):
        print(json.dumps(event), flush=True)


def _round(logs: Path, run: Path, days: float) -> None:
    """Look once; a disk that is full now may not be in an hour, and ending would help nobody."""
    try:
        removed = look(logs, run, days, time.time())
    except OSError as error:
        _tell("WARNING", "not swept", reason=type(error).__name__, errno=error.errno)
        return
    if removed.items or removed.put_aside:
        told = {"removed": removed.items, "freed_bytes": removed.bytes, "put_aside": removed.put_aside}
        _tell("INFO", "swept", **told)


def main() -> int:
    """Look once an hour until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m deploy.upkeep", description=__doc__)
    parser.add_argument("--logs", type=Path, required=True)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--days", type=float, default=DEFAULT_DAYS)
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    while True:
        _round(asked.logs, asked.run, asked.days)
        time.sleep(EVERY_S)


if __name__ == "__main__":
    sys.exit(main())
