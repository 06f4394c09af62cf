"""How much memory a vision model takes at most, told from its files' sizes.

Measured 2026-11-27 (random weights, processor, resident peak of a process that loads and captions eight pictures):
ViT-GPT2's shape, 912 MiB of 32-bit weights: 1,521 MiB (told: 1,504); the built-in captioner: 415 MiB (told: 416).
"""

from __future__ import annotations

from servicekit.hub import Needs, numbers_in

BASE_BYTES = 410 * 2**20
"""Python, torch and transformers."""
WEIGHTS_PART = 1.2
"""The weights in 32 bits, and a fifth of them again for eight pictures on their way."""


def memory_need(needs: Needs) -> int:
    """Return bytes."""
    return int(BASE_BYTES + WEIGHTS_PART * 4 * numbers_in(needs))
