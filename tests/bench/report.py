"""Medians, ratios, bars and the table they are printed in. Knows no server."""

from __future__ import annotations

import datetime
import os
import platform
import statistics
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class Bar:
    """What a ratio or a figure must keep to."""

    limit: float
    side: Literal["at least", "at most"] = "at least"
    unit: str = "×"

    def holds(self, value: float) -> bool:
        """Tell whether `value` keeps to it."""
        return value >= self.limit if self.side == "at least" else value <= self.limit

    def __str__(self) -> str:
        return f"{'≥' if self.side == 'at least' else '≤'} {self.limit:g} {self.unit}"


@dataclass(frozen=True)
class Finding:
    """One line of the table: our figure, the one beside it, and what was asked of the two.

    The bar is about `ours / beside`, or about `ours` where nothing stands beside it.
    """

    row: str
    ours: float
    unit: str
    beside_name: str = ""
    beside: float | None = None
    bar: Bar | None = None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """Ours by the other."""
        return self.ours / self.beside if self.beside else None

    @property
    def passed(self) -> bool | None:
        """Whether the bar holds; None where there is none."""
        if self.bar is None:
            return None
        judged = self.ours if self.ratio is None else self.ratio
        return self.bar.holds(judged)


def median(values: Iterable[float]) -> float:
    """Return the median; raises ValueError when there is none to take."""
    listed = list(values)
    if not listed:
        raise ValueError("no measurement to take the median of")
    return statistics.median(listed)


def table(findings: Sequence[Finding]) -> str:
    """Return a Markdown table."""
    lines = [
        "| row | ours | beside | its figure | ratio | bar | |",
        "|---|---:|---|---:|---:|---|---|",
    ]
    return "\n".join(lines + [_line(finding) for finding in findings])


def _line(finding: Finding) -> str:
    verdict = {True: "pass", False: "**FAIL**", None: ""}[finding.passed]
    cells = (
        finding.row,
        _figure(finding.ours, finding.unit),
        finding.beside_name or "–",
        "–" if finding.beside is None else _figure(finding.beside, finding.unit),
        "–" if finding.ratio is None else f"{finding.ratio:.2f} ×",
        "–" if finding.bar is None else str(finding.bar),
        " · ".join(filter(None, (verdict, finding.note))),
    )
    return "| " + " | ".join(cells) + " |"


def _figure(value: float, unit: str) -> str:
    digits = 0 if value >= 100 else 1 if value >= 10 else 2
    return f"{value:,.{digits}f} {unit}".strip()


def machine_line(root: Path, *packages: str) -> str:
    """Say on what, of what and when it was measured, in one line, with the versions of `packages`."""
    facts = (
        _processor(),
        f"{os.cpu_count()} processors",
        f"{_memory_gib():.0f} GiB",
        f"Python {platform.python_version()}",
        *(f"{package} {version(package)}" for package in packages),
        f"commit {_commit(root)}",
        f"load {os.getloadavg()[0]:.1f} before",
        datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
    )
    return " · ".join(facts)


def others_line(disturbed: Mapping[str, float]) -> str:
    """Say what part of the processors other work took in each row."""
    told = ", ".join(f"{share:.0%} of the processors in {row}" for row, share in disturbed.items())
    return f"other work took {told}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def _memory_gib() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


def _commit(root: Path) -> str:
    command = ["git", "-C", str(root), "describe", "--always", "--dirty"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"
