"""How much memory a translation model takes at most, told from its files' headers.

Measured 2026-11-27 (random weights, resident peak of a process that converts, loads and translates eight sentences
with beam 4; converting runs in a child of its own): opus-mt's shape, 74.9 million numbers: 195 MiB (told: 188); the
built-in model: 49 MiB (told: 50).
"""

from __future__ import annotations

from servicekit.hub import Needs, numbers_in

BASE_BYTES = 45 * 2**20
"""Python, CTranslate2 and the sentence pieces."""
NUMBER_BYTES = 2
"""One for the 8-bit weight, as much again for the beams of a batch."""


def memory_need(needs: Needs) -> int:
    """Return bytes."""
    return BASE_BYTES + NUMBER_BYTES * numbers_in(needs)
