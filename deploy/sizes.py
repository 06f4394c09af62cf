"""Checks that no Python file has grown past the size at which it is split by room."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from deploy.console import say

LINES_MAX = 400


def main() -> int:
    """Print every tracked or new Python file over the limit; 1 when there is one."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py"],
        capture_output=True,
        text=True,
        check=True,
    )
    files = [Path(name) for name in listed.stdout.splitlines() if Path(name).is_file()]
    counted = {file: len(file.read_text(encoding="utf-8").splitlines()) for file in files}
    large = {file: lines for file, lines in counted.items() if lines > LINES_MAX}
    for file, lines in large.items():
        say(f"{file}: {lines} lines; split it, the limit is {LINES_MAX}")
    say(f"{len(counted)} Python files, {len(large)} over {LINES_MAX} lines")
    return 1 if large else 0


if __name__ == "__main__":
    sys.exit(main())
