"""How much memory a neural voice takes at most, told from its files' headers.

Measured 2026-11-27 (random weights, resident peak of a process that loads and speaks a clause of sixty letters):
VITS's own shape, 138 MiB of 32-bit weights: 626 MiB (told: 629).
"""

from __future__ import annotations

from servicekit.hub import Needs, numbers_in

BASE_BYTES = 490 * 2**20
"""Python, torch, transformers and the samples of a clause on their way."""


def memory_need(needs: Needs) -> int:
    """Return bytes."""
    return BASE_BYTES + 4 * numbers_in(needs)
