"""Says what was removed by age, for `make status`. Knows `swept` in `/readyz` and the runner's own count."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deploy.files import size_of
from deploy.upkeep import Removed


def lines(reports: Mapping[str, Mapping[str, Any]], logs: Removed) -> list[str]:
    """Return a line for each service that removed something since its start, and one for the logs."""
    found = []
    for name, report in reports.items():
        swept = report.get("swept")
        kinds = swept.get("removed", {}) if isinstance(swept, dict) else {}
        told = [
            f"{kind} {count['items']} ({size_of(count['bytes'])})"
            for kind, count in kinds.items()
            if count["items"]
        ]
        if told:
            found.append(f"removed by age, {name}: {', '.join(told)}")
    if logs.items:
        found.append(f"removed by age, logs: {logs.items} ({size_of(logs.bytes)})")
    return found
