"""How much memory a vision model takes at most, told from its configuration and its files' headers.

The peak is either the loading of files that are converted, their pages and the model being there together, or the
looking at pictures. What was measured stands in docs/models.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from servicekit.hub import Estimate, Needs, numbers_in
from svc_vision.engine.architectures import Kind, architecture_of
from svc_vision.engine.conversing import glances
from svc_vision.engine.networks import TOGETHER, TOGETHER_PIXELS
from svc_vision.engine.precision import choose_dtype

BASE_BYTES = 410 * 2**20
"""Python, torch and transformers."""
LOADING_PART = 1.1
"""Of the file's pages and the converted weights, which are there together."""


@dataclass(frozen=True)
class _Looking:
    """What pictures take on their way through a network; measured 2026-11-27 with random weights of the real sizes.

    Args:
        pixel_bytes: for each pixel that the network sees.
        side: how many pixels wide and high it sees a picture, where its settings do not say.
        together: pictures that go through at once; 0: as many as a detector's pixels allow, eight at most.
        copies: how many times the weights are there beside their file: those of convolutions are packed anew.
        once_bytes: whatever the pictures' size.
        converts: whether the network runs in the 16 bits of its file, else in 32 always.
    """

    pixel_bytes: int
    side: int
    together: int = TOGETHER
    copies: float = 0.0
    once_bytes: int = 0
    converts: bool = False


_LOOKING: dict[Kind, _Looking] = {
    "captioner": _Looking(700, 224, together=8),
    "blip": _Looking(370, 384, once_bytes=180 * 2**20, converts=True),
    "florence": _Looking(190, 768, converts=True),
    "conversing": _Looking(60, 512, together=1, once_bytes=80 * 2**20, converts=True),
    "detector": _Looking(240, 640, together=0, copies=1.1),
    "classifier": _Looking(440, 224, together=8),
}


def memory_need(device: str, tiles: int = 1) -> Estimate:
    """Return the estimate for models loaded on `device`; it raises BadRequest for a model that does not run here.

    Args:
        tiles: the setting `question_tiles`.
    """

    def estimate(needs: Needs) -> int:
        config = needs.json("config.json")
        kind = architecture_of(config, needs.listing.repo).kind
        looking, numbers, file_bytes = _LOOKING[kind], numbers_in(needs), needs.weights_bytes
        in_file = file_bytes / max(numbers, 1)
        dtype = choose_dtype(device, in_file if looking.converts else 4)
        weights = numbers * int(dtype.itemsize)
        seen = _pixels(looking, needs) * (glances(tiles) if kind == "conversing" else 1)
        running = weights * (1 + looking.copies) + looking.once_bytes + seen * looking.pixel_bytes
        # Weights that run as they lie in their file are the file's own pages.
        as_it_lies = abs(in_file - dtype.itemsize) < 1 and (
            in_file > 3 or f"torch.{_named(config)}" == str(dtype)
        )
        loading = 0.0 if as_it_lies else LOADING_PART * (file_bytes + weights)
        return int(BASE_BYTES + max(running, loading))

    return estimate


def _named(config: Mapping[str, Any]) -> str:
    """Return the type that a configuration names for its weights: headers tell two kinds of 16 bits apart no better."""
    return str(config.get("dtype") or config.get("torch_dtype") or "none")


def _pixels(looking: _Looking, needs: Needs) -> int:
    """Return how many pixels go through at once."""
    told = needs.json("preprocessor_config.json") or needs.json("processor_config.json").get(
        "image_processor"
    )
    settings = told if isinstance(told, dict) else {}
    width, height = _side(settings.get("max_image_size") or settings.get("size")) or (
        looking.side,
        looking.side,
    )
    area = width * height
    return area * (min(8, max(1, TOGETHER_PIXELS // area)) if looking.together == 0 else looking.together)


def _side(size: Any) -> tuple[int, int] | None:
    """Read the sizes that publications write: a number, both sides, or the longest one."""
    if isinstance(size, Mapping):
        one = size.get("longest_edge") or size.get("shortest_edge")
        width, height = size.get("width") or one, size.get("height") or one
    else:
        width = height = size
    if not (isinstance(width, int) and isinstance(height, int)):
        return None
    return (width, height) if 0 < width < 10_000 and 0 < height < 10_000 else None
