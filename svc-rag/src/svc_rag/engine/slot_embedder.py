"""Embedder and reranker whose models are loaded at first use and unloaded when idle."""

from __future__ import annotations

from collections.abc import Sequence

from servicekit.models import ModelSlot
from svc_rag.engine.base import Embedder, Reranker, Space, TextRole, Vectors


class SlotEmbedder:
    """Embedder that borrows the real one from a slot for each call."""

    def __init__(self, slot: ModelSlot[Embedder], space: Space):
        self.slot, self.model_id, self.dimension = slot, space.model, space.dimension

    def embed(self, texts: Sequence[str], role: TextRole = "plain") -> Vectors:
        """Return (len(texts), dimension) float32, rows of length one."""
        with self.slot.use() as model:
            return model.embed(texts, role)

    def count_tokens(self, text: str) -> int:
        """Return how many tokens the model's tokenizer makes of `text`."""
        with self.slot.use() as model:
            return model.count_tokens(text)

    def cosine_floor(self) -> float:
        """Return the cosine of texts that have nothing in common."""
        with self.slot.use() as model:
            return model.cosine_floor()


class SlotReranker:
    """Reranker that borrows the real one from a slot for each call."""

    def __init__(self, slot: ModelSlot[Reranker], model_id: str):
        self.slot, self.model_id = slot, model_id

    def score(self, query: str, texts: Sequence[str]) -> Vectors:
        """Return (len(texts),) float32 in [0, 1]."""
        with self.slot.use() as model:
            return model.score(query, texts)

    def count_tokens(self, text: str) -> int:
        """Return how many tokens the model's tokenizer makes of `text`."""
        with self.slot.use() as model:
            return model.count_tokens(text)
