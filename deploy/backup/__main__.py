"""`python -m deploy.backup write|restore`: over the named volumes in a container, through its pipes.

`write` sends the archive to the output and takes the text of `.env` from the input; `restore` takes the
archive from the input. What is told goes to the error output.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from deploy.backup import making, restore
from deploy.console import Stop, warn
from deploy.layout import ROOT

_SETTINGS_BYTES = 2**20


def main() -> int:
    """Run one command and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m deploy.backup", description=__doc__)
    parser.add_argument("command", choices=["write", "restore"])
    parser.add_argument(
        "--stack", type=Path, default=Path("/stack"), help="a folder for each service's volume"
    )
    asked = parser.parse_args()
    if asked.command == "write":
        _write(asked.stack)
    else:
        restore.unpack(asked.stack, sys.stdin.buffer, warn, None)
        restore.commit(asked.stack)
    return 0


def _write(stack: Path) -> None:
    if sys.stdout.isatty():
        raise Stop("The output is the archive; send it into a file: docker compose run --rm -T backup > FILE")
    with tempfile.TemporaryDirectory() as folder:
        settings = Path(folder) / "env"
        settings.write_bytes(b"" if sys.stdin.isatty() else sys.stdin.buffer.read(_SETTINGS_BYTES))
        extra = [("settings/env", settings)] if settings.stat().st_size else []
        with os.fdopen(os.dup(sys.stdout.fileno()), "wb") as out:
            making.make(stack, ROOT, out, warn, extra=extra)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Stop as problem:
        warn(f"\n{problem}")
        sys.exit(1)
    except OSError as error:
        warn(
            f"\nThe backup could not be written or read: {error.strerror}. Free some disk space and try again."
        )
        sys.exit(1)
