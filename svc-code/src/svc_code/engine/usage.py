"""What a sandbox uses, read from outside: processor time and memory of process 1 and all below it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK")
_MIB = 1024


@dataclass(frozen=True)
class Used:
    """Of all living processes, and of those that ended and were collected: processor time."""

    cpu_s: float = 0.0
    memory_mb: float = 0.0
    processes: int = 0


def of(pid: int, suspicious_mb: float = float("inf"), proc: Path = PROC) -> Used:
    """Return what `pid` and its descendants use.

    Memory is what is in RAM and not a file's. Pages that a fork shares are counted once a process; only
    when the sum is over `suspicious_mb` are they counted exactly, which takes longer.
    """
    pids = _tree(pid, proc)
    cpu_s = sum(_cpu_s(each, proc) for each in pids)
    memory_mb = sum(_status_mb(each, proc) for each in pids)
    if memory_mb > suspicious_mb:
        exact_mb = sum(_exact_mb(each, proc) for each in pids)
        memory_mb = exact_mb or memory_mb
    return Used(cpu_s, memory_mb, len(pids))


def _tree(pid: int, proc: Path) -> list[int]:
    found, waiting = [], [pid]
    while waiting:
        current = waiting.pop()
        found.append(current)
        try:
            tasks = os.listdir(proc / str(current) / "task")
        except OSError:
            continue
        for task in tasks:
            children = _text(proc / str(current) / "task" / task / "children")
            waiting += [int(child) for child in children.split()]
    return found


def _cpu_s(pid: int, proc: Path) -> float:
    text = _text(proc / str(pid) / "stat")
    fields = text.rpartition(")")[2].split()
    # utime, stime, and those of children that were collected
    return sum(int(field) for field in fields[11:15]) / _TICKS if len(fields) > 15 else 0.0


def _status_mb(pid: int, proc: Path) -> float:
    sizes = [
        int(line.split()[1])
        for line in _text(proc / str(pid) / "status").splitlines()
        if line.startswith(("RssAnon:", "RssShmem:"))
    ]
    return sum(sizes) / _MIB


def _exact_mb(pid: int, proc: Path) -> float:
    sizes = [
        int(line.split()[1])
        for line in _text(proc / str(pid) / "smaps_rollup").splitlines()
        if line.startswith(("Pss_Anon:", "Pss_Shmem:"))
    ]
    return sum(sizes) / _MIB


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
