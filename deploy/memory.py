"""How much memory a process and its children take, shared pages counted once (Linux's PSS)."""

from __future__ import annotations

from pathlib import Path


def pss_mib(pid: int, proc: Path = Path("/proc")) -> float:
    """Return the proportional set size of `pid` and its descendants in MiB; 0 where it cannot be read."""
    total = 0.0
    waiting = [pid]
    while waiting:
        current = waiting.pop()
        total += _own(proc / str(current))
        waiting += _children(proc / str(current))
    return total


def _own(folder: Path) -> float:
    try:
        lines = (folder / "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    sizes = [int(line.split()[1]) for line in lines if line.startswith("Pss:")]
    return sum(sizes) / 1024


def _children(folder: Path) -> list[int]:
    found: list[int] = []
    try:
        for task in (folder / "task").iterdir():
            found += [int(pid) for pid in (task / "children").read_text().split()]
    except OSError:
        return []
    return found
