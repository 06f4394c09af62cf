"""How files are called where code runs: by their own names, told apart."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath


def told_apart(names: Mapping[str, str]) -> dict[str, str]:
    """Return id → name with no name twice, for names by id: the second `sales.csv` is `sales-2.csv`."""
    given: dict[str, str] = {}
    taken = set(names.values())
    for id_, name in names.items():
        path, number = PurePosixPath(name), 1
        if name in given.values():
            while name in taken:
                number += 1
                name = f"{path.stem}-{number}{path.suffix}"
        given[id_] = name
        taken.add(name)
    return given
