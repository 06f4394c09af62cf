"""Counts the cells of the key-value memory exactly, shared ones once. Pure; knows no model.

A mirror in numbers of what the backend does: `append` when tokens are read, `share` when a prefix is copied
(which copies no memory), `truncate` when a tail is forgotten. So it is known before a step whether it fits.
"""

from __future__ import annotations

from collections.abc import Iterable


class CellLedger:
    """Which cell holds which token of which sequence, and how many sequences share it."""

    def __init__(self, cells: int):
        self.cells = cells
        self._free = list(range(cells - 1, -1, -1))
        self._sharers = [0] * cells
        self._held: dict[int, list[int]] = {}

    @property
    def free(self) -> int:
        """Cells that hold nothing."""
        return len(self._free)

    def length(self, sequence: int) -> int:
        """Tokens that `sequence` holds."""
        return len(self._held.get(sequence, ()))

    def append(self, sequence: int, count: int) -> None:
        """Give `sequence` `count` more cells.

        Raises:
            MemoryError: there are not so many; nothing was changed.
        """
        if count > len(self._free):
            raise MemoryError(f"{count} cells wanted, {len(self._free)} free")
        held = self._held.setdefault(sequence, [])
        for _ in range(count):
            cell = self._free.pop()
            self._sharers[cell] = 1
            held.append(cell)

    def share(self, source: int, target: int, length: int) -> None:
        """Let the empty `target` hold the first `length` cells of `source`, too."""
        shared = self._held[source][:length] if length else []
        if self._held.get(target) or len(shared) != length:
            raise ValueError(f"sequence {target} is not empty, or {source} has no {length} tokens")
        for cell in shared:
            self._sharers[cell] += 1
        self._held[target] = shared

    def truncate(self, sequence: int, length: int) -> None:
        """Take the cells from position `length` on away from `sequence`."""
        held = self._held.get(sequence)
        if held is None:
            return
        for cell in held[length:]:
            self._sharers[cell] -= 1
            if self._sharers[cell] == 0:
                self._free.append(cell)
        del held[length:]
        if not held:
            del self._held[sequence]

    def alone(self, sequence: int) -> int:
        """Return how many cells would become free if `sequence` were forgotten."""
        return sum(self._sharers[cell] == 1 for cell in self._held.get(sequence, ()))

    def distinct(self, sequences: Iterable[int]) -> int:
        """Return how many cells `sequences` hold together, shared ones counted once."""
        return len({cell for sequence in sequences for cell in self._held.get(sequence, ())})

    def occupied(self) -> Iterable[int]:
        """Return the sequences that hold anything."""
        return tuple(self._held)
