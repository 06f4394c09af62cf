"""One float32 matrix in memory that mirrors the stored vectors; exact search by one product.

Keys are the store's row numbers. Writers call under the store's write lock; readers need none,
because they take one immutable snapshot.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from svc_rag.engine.base import Vectors

_DEAD = -1


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """`used` rows of each array hold data; rows beyond are free. Group _DEAD marks removed rows."""

    vectors: Vectors  # (capacity, dimension)
    keys: NDArray[np.int64]  # (capacity,)
    owners: NDArray[np.int32]  # (capacity,)
    documents: NDArray[np.int32]  # (capacity,)
    used: int
    only_owner: int | None


class VectorMatrix:
    """Vectors by key, owner and document (both small integers that the store hands out)."""

    def __init__(self, dimension: int):
        self._dimension = dimension
        self._now = self._empty(256)

    def _empty(self, capacity: int) -> _Snapshot:
        return _Snapshot(
            np.zeros((capacity, self._dimension), np.float32), np.zeros(capacity, np.int64),
            np.full(capacity, _DEAD, np.int32), np.full(capacity, _DEAD, np.int32), 0, None,
        )  # fmt: skip

    def __len__(self) -> int:
        now = self._now
        return int((now.owners[: now.used] != _DEAD).sum())

    def add(self, keys: NDArray[np.int64], owner: int, document: int, vectors: Vectors) -> None:
        """Append rows, growing the arrays by half when they are full."""
        now, used = self._now, self._now.used + len(keys)
        if used > len(now.keys):
            grown = self._empty(max(used, len(now.keys) * 3 // 2))
            _copy(now, slice(0, now.used), grown, now.used)
            now = _Snapshot(*_arrays(grown), self._now.used, self._now.only_owner)
        rows = slice(now.used, used)
        now.vectors[rows], now.keys[rows] = vectors, keys
        now.owners[rows], now.documents[rows] = owner, document
        only = owner if now.used == 0 or now.only_owner == owner else None
        self._now = _Snapshot(*_arrays(now), used, only)

    def remove(self, document: int) -> None:
        """Drop a document's rows; the arrays are packed once half of them is dead."""
        now = self._now
        gone = now.documents[: now.used] == document
        if not gone.any():
            return
        owners, documents = now.owners.copy(), now.documents.copy()
        owners[: now.used][gone] = documents[: now.used][gone] = _DEAD
        self._now = _Snapshot(now.vectors, now.keys, owners, documents, now.used, None)
        self._pack()

    def _pack(self) -> None:
        now = self._now
        alive = np.flatnonzero(now.owners[: now.used] != _DEAD)
        if now.used < 512 or len(alive) > now.used // 2:
            return
        packed = self._empty(max(256, len(alive) * 3 // 2))
        _copy(now, alive, packed, len(alive))
        owners = set(packed.owners[: len(alive)].tolist())
        self._now = _Snapshot(*_arrays(packed), len(alive), owners.pop() if len(owners) == 1 else None)

    def search(
        self, vector: Vectors, owner: int, documents: NDArray[np.int32] | None, k: int
    ) -> dict[int, float]:
        """Return the k best of the owner's rows as {key: cosine}."""
        now = self._now
        if now.used == 0:
            return {}
        scores = now.vectors[: now.used] @ vector
        if now.only_owner != owner:
            scores[now.owners[: now.used] != owner] = -2.0
        if documents is not None:
            scores[~np.isin(now.documents[: now.used], documents)] = -2.0
        k = min(k, now.used)
        best = np.argpartition(scores, now.used - k)[now.used - k :]
        return {int(now.keys[row]): float(scores[row]) for row in best if scores[row] > -2.0}

    def owns_all(self, owner: int) -> bool:
        """Return whether every row belongs to `owner` (the common case: one user)."""
        return self._now.only_owner == owner


def _arrays(s: _Snapshot) -> tuple[Vectors, NDArray[np.int64], NDArray[np.int32], NDArray[np.int32]]:
    return s.vectors, s.keys, s.owners, s.documents


def _copy(source: _Snapshot, rows: slice | NDArray[np.intp], target: _Snapshot, used: int) -> None:
    """Copy rows of every array to the beginning of the target's."""
    target.vectors[:used] = source.vectors[rows]
    target.keys[:used] = source.keys[rows]
    target.owners[:used] = source.owners[rows]
    target.documents[:used] = source.documents[rows]
