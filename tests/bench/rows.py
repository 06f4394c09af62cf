"""Rows of a benchmark: chosen by name, run one after another, the contenders of each in turn."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from tests.bench.processes import Processes, Watch
from tests.bench.report import Finding

B = TypeVar("B")
T = TypeVar("T")
Row = Callable[[B], Awaitable[list[Finding]]]


def chosen_rows(rows: Mapping[str, Row[B]], only: Sequence[str]) -> dict[str, Row[B]]:
    """Return the rows that `only` names, or begins to name; all when it is empty.

    Raises:
        SystemExit: one of them is no row and begins none.
    """
    chosen: dict[str, Row[B]] = {}
    for name in only or rows:
        found = [row for row in rows if row == name] or [row for row in rows if row.startswith(name)]
        if not found:
            raise SystemExit(f"no row begins with '{name}'; there are {', '.join(rows)}")
        chosen |= {row: rows[row] for row in found}
    return chosen


async def run_rows(
    rows: Mapping[str, Row[B]], bench: B, processes: Processes
) -> tuple[list[Finding], dict[str, float]]:
    """Run the rows one after another.

    Returns:
        The findings, and for each row the part of the processors that other programs took meanwhile.
    """
    findings: list[Finding] = []
    disturbed: dict[str, float] = {}
    for name, row in rows.items():
        started, watch = time.perf_counter(), Watch(processes)
        findings += await row(bench)
        disturbed[name] = watch.others_share()
        print(f"{name}: {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
    return findings, disturbed


def in_turn(contenders: Sequence[T], number: int) -> Iterator[T]:
    """Yield all, beginning with another one each round, so that none is always first."""
    for index in range(len(contenders)):
        yield contenders[(number + index) % len(contenders)]


def cache_folder(root: Path, env: Mapping[str, str] = os.environ) -> Path:
    """Return where models and the peers' environments are kept between runs."""
    return Path(env.get("OFICINA_BENCH_CACHE") or root / "build" / "bench").resolve()
