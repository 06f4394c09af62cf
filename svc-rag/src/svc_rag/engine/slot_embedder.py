"""Embedder whose model is loaded at first use and unloaded when idle."""

from __future__ import annotations

from collections.abc import Sequence

from servicekit.models import ModelSlot
from svc_rag.engine.base import Embedder, Vectors


class SlotEmbedder:
    """Embedder that borrows the real one from a slot for each call."""

    def __init__(self, slot: ModelSlot[Embedder], model_id: str, dimension: int):
        self.slot, self.model_id, self.dimension = slot, model_id, dimension

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return (len(texts), dimension) float32, rows of length one."""
        with self.slot.use() as model:
            return model.embed(texts)

    def count_tokens(self, text: str) -> int:
        """Return how many tokens the model's tokenizer makes of `text`."""
        with self.slot.use() as model:
            return model.count_tokens(text)
