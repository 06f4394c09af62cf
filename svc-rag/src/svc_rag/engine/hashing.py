"""The embedder without weights: words hashed to vectors. Deterministic; for tests and emergencies."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from svc_rag.engine.base import TextRole, Vectors
from svc_rag.words import content_words


class HashingEmbedder:
    """Embedder: texts that share words are near each other; nothing else is understood."""

    model_id = "hashing"

    def __init__(self, dimension: int = 64):
        self.dimension = dimension

    def embed(self, texts: Sequence[str], role: TextRole = "plain") -> Vectors:
        """Return (len(texts), dimension) float32, rows of length one."""
        vectors = np.zeros((len(texts), self.dimension), np.float32)
        for row, text in enumerate(texts):
            for word in content_words(text) or ["empty"]:
                seed = int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest(), "big")
                vectors[row] += np.random.default_rng(seed).standard_normal(self.dimension, np.float32)
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        return (vectors / np.maximum(norms, np.float32(1e-9))).astype(np.float32)

    def count_tokens(self, text: str) -> int:
        """Return the number of words."""
        return len(text.split())

    def cosine_floor(self) -> float:
        """Return 0: texts without a common word are at right angles."""
        return 0.0
