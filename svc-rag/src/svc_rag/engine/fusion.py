"""Fuses a text and a vector ranking into one. Knows nothing about where the rankings come from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Fusion = Literal["minmax", "rrf"]
_RRF_K = 60
"""The rank constant of Cormack, Clarke and Büttcher (SIGIR 2009)."""


def fuse(
    text: Mapping[int, float], vector: Mapping[int, float], text_weight: float, fusion: Fusion = "minmax"
) -> list[tuple[int, float]]:
    """Return (key, score in [0, 1]) by falling score; keys missing from one ranking get nothing from it."""
    if fusion == "rrf":
        parts = (_reciprocal_ranks(text), _reciprocal_ranks(vector))
    else:
        parts = (_min_max(text), _min_max(vector))
    keys = sorted(set(text) | set(vector))
    weights = (text_weight, 1.0 - text_weight)
    scored = [
        (key, sum(w * part.get(key, 0.0) for w, part in zip(weights, parts, strict=True))) for key in keys
    ]
    return sorted(scored, key=lambda item: (-item[1], item[0]))


def _min_max(scores: Mapping[int, float]) -> dict[int, float]:
    if not scores:
        return {}
    low, high = min(scores.values()), max(scores.values())
    if high - low < 1e-9:
        return dict.fromkeys(scores, 1.0)
    # As OpenSearch does, the last still counts a little: it was found, which others were not.
    return {key: max((score - low) / (high - low), 0.001) for key, score in scores.items()}


def _reciprocal_ranks(scores: Mapping[int, float]) -> dict[int, float]:
    ordered = sorted(scores, key=lambda key: (-scores[key], key))
    return {key: (_RRF_K + 1) / (_RRF_K + rank) for rank, key in enumerate(ordered, 1)}
