"""Embeds texts of any length and ranks documents for a query. Knows no HTTP.

A text longer than the model reads is embedded piece by piece and averaged, never cut silently.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from svc_rag.domain.chunking import ChunkSizes, chunk_document
from svc_rag.domain.relevance import relevance
from svc_rag.engine.base import Embedder, Reranker, TextRole, Vectors

_PIECES = ChunkSizes(max_chars=900, overlap_chars=0)
_FITS_CHARS = 900


def embed_whole(texts: Sequence[str], embedder: Embedder, role: TextRole = "plain") -> Vectors:
    """Return (len(texts), dimension) float32, rows of length one."""
    pieces: list[str] = []
    owners: list[int] = []
    for index, text in enumerate(texts):
        parts = [text] if len(text) <= _FITS_CHARS else [c.text for c in chunk_document(text, (), _PIECES)]
        pieces.extend(parts or [text])
        owners.extend([index] * len(parts or [text]))
    vectors = embedder.embed(pieces, role)
    weights = np.array([len(piece) or 1 for piece in pieces], np.float32)[:, None]
    summed = np.zeros((len(texts), embedder.dimension), np.float32)
    np.add.at(summed, owners, vectors * weights)
    norms = np.linalg.norm(summed, axis=1, keepdims=True)
    result: Vectors = summed / np.maximum(norms, np.float32(1e-12))
    return result


def rerank(
    query: str, documents: Sequence[str], embedder: Embedder | None, reranker: Reranker | None = None
) -> list[tuple[int, float]]:
    """Return (index, score in [0, 1]) by falling score; without a reranker, by words and the embedder's cosines."""
    if reranker is not None:
        scores = reranker.score(query, documents)
    else:
        assert embedder is not None
        scores = relevance(query, documents, embedder)
    return sorted(((n, float(score)) for n, score in enumerate(scores)), key=lambda item: (-item[1], item[0]))
