"""Prints p50 of each search mode over 100,000 random chunks: `python -m bench.search_speed [N]` in svc-rag.

Beside it a plain FTS5 `OR` of all words, which is what pruning saves.
"""
# ruff: noqa: T201

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from svc_rag.engine.base import Chunk, SearchQuery, Space
from svc_rag.engine.database import Database
from svc_rag.engine.sqlite_store import SqliteStore

_PER_DOCUMENT = 1_000
_SPACE = Space("bench", 384)


def main(total: int) -> None:
    """Fill a store in a temporary folder, then time it."""
    random = np.random.default_rng(7)
    with tempfile.TemporaryDirectory() as folder:
        database = Database(Path(folder) / "bench.db")
        store = SqliteStore(database, _SPACE)
        store.connect()
        words = np.array([f"word{n}" for n in range(50_000)])
        start = time.perf_counter()
        for first in range(0, total, _PER_DOCUMENT):
            # Zipf, as in real text: few words stand nearly everywhere.
            drawn = np.minimum(random.zipf(1.3, (_PER_DOCUMENT, 120)) - 1, len(words) - 1)
            texts = [" ".join(words[row]) for row in drawn]
            chunks = [Chunk(n, text, 0, len(text), 1) for n, text in enumerate(texts)]
            store.index(f"doc{first}", "owner", chunks, _unit(random, _PER_DOCUMENT), _SPACE)
        print(f"indexed {total} chunks: {total / (time.perf_counter() - start):.0f} chunks/s")
        queries = [
            SearchQuery("owner", " ".join(words[np.minimum(random.zipf(1.3, 6) - 1, 49_999)]), vector, 10)
            for vector in _unit(random, 60)
        ]
        for mode in ("text", "vector", "hybrid"):
            timed = _p50_ms([lambda q=q, m=mode: store.search(_with_mode(q, m)) for q in queries])
            print(f"{mode:7} p50 {timed}")
        naive = "SELECT rowid FROM store_words WHERE store_words MATCH ? ORDER BY rank LIMIT 50"
        plain = [
            lambda q=q: database.read().execute(naive, (q.text.replace(" ", " OR "),)).fetchall()
            for q in queries
        ]
        print(f"{'plain OR':7} p50 {_p50_ms(plain[:20])}")
        store.close()


def _with_mode(query: SearchQuery, mode: str) -> SearchQuery:
    return SearchQuery(query.owner, query.text, query.vector, query.top_k, mode)  # type: ignore[arg-type]


def _unit(random: np.random.Generator, rows: int) -> np.ndarray:
    vectors = random.standard_normal((rows, 384), np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _p50_ms(calls: list[Callable[[], object]]) -> str:
    """Return the medians of wall and processor time; the second is what a busy machine leaves true."""
    wall, cpu = [], []
    for call in calls:
        started, worked = time.perf_counter(), time.thread_time()
        call()
        wall.append((time.perf_counter() - started) * 1000)
        cpu.append((time.thread_time() - worked) * 1000)
    return f"{statistics.median(wall):7.1f} ms wall {statistics.median(cpu):7.1f} ms processor"


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
