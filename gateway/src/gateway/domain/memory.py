"""Who holds how much of the machine's memory for models, and who has to leave for one more.

Pure: reports in, choices out. Knows nothing of HTTP.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_MOST = 500
"""Entries of one report that are read."""


@dataclass(frozen=True)
class Held:
    """A model in memory. `idle_s`: since its last use."""

    service: str
    model: str
    held_bytes: int
    in_use: bool
    idle_s: float

    def public(self) -> dict[str, Any]:
        """Return the entry in `/api/status`."""
        return {
            "service": self.service,
            "model": self.model,
            "bytes": self.held_bytes,
            "in_use": self.in_use,
            "idle_s": self.idle_s,
        }


@dataclass(frozen=True)
class Wish:
    """A load that waits for its grant."""

    id: str
    service: str
    model: str
    need_bytes: int


@dataclass(frozen=True)
class MemoryReport:
    """What one service says of its models."""

    held: tuple[Held, ...] = ()
    wishes: tuple[Wish, ...] = ()


def read(service: str, told: Any) -> MemoryReport:
    """Read the `memory` of a service's `/readyz`; nothing in it is believed to have the right type."""
    if not isinstance(told, dict):
        return MemoryReport()
    held = [
        Held(service, row["model"][:300], row["bytes"], bool(row.get("in_use")), float(row.get("idle_s") or 0))
        for row in _rows(told.get("held"))
        if isinstance(row.get("idle_s", 0), int | float)
    ]  # fmt: skip
    wishes = [
        Wish(row["id"], service, row["model"][:300], row["bytes"])
        for row in _rows(told.get("wishes"))
        if isinstance(row.get("id"), str)
    ]
    return MemoryReport(tuple(held), tuple(wishes))


def _rows(told: Any) -> list[Mapping[str, Any]]:
    rows = told[:_MOST] if isinstance(told, list) else []
    return [
        row for row in rows
        if isinstance(row, dict) and isinstance(row.get("model"), str) and type(row.get("bytes")) is int
        and row["bytes"] >= 0
    ]  # fmt: skip


def leaving(held: Sequence[Held], missing_bytes: int) -> list[Held] | None:
    """Choose the idle models, longest unused first, that free `missing_bytes`; None: all of them are too little.

    One is spared if a larger one that has to go as well makes room enough.
    """
    chosen: list[Held] = []
    freed = 0
    for one in sorted((one for one in held if not one.in_use), key=lambda one: -one.idle_s):
        if freed >= missing_bytes:
            break
        chosen.append(one)
        freed += one.held_bytes
    if freed < missing_bytes:
        return None
    for spared in reversed(chosen.copy()):
        if freed - spared.held_bytes >= missing_bytes:
            freed -= spared.held_bytes
            chosen.remove(spared)
    return chosen
