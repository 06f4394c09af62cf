"""How much memory a translation model takes at most, told from its files' headers.

Measured 2026-11-27 (random weights, resident peak of a process that loads and translates eight sentences with beam 4;
converting runs in a child of its own):

- opus-mt's shape, 74.9 million numbers: 195 MiB (told: 188); the built-in model: 49 MiB (told: 50)
- M2M100-418M's shape, 484 million: 1,045 MiB (told: 968)
- NLLB-200-distilled-600M's shape, 615 million: 1,289 MiB (told: 1,218)
- opus-mt-tc-big's shape, 233 million in CTranslate2's format with 16 bits each: 706 MiB (told: 712)
"""

from __future__ import annotations

from servicekit.hub import Needs, numbers_in
from svc_translate.engine.folders import WEIGHTS
from svc_translate.engine.ready_header import HEAD_BYTES, number_bytes

BASE_BYTES = 45 * 2**20
"""Python, CTranslate2 and the sentence pieces."""
NUMBER_BYTES = 2
"""One for the 8-bit weight, as much again for the beams of a batch."""


def memory_need(needs: Needs) -> int:
    """Return bytes."""
    ready = next((file for file in needs.files if file.name == WEIGHTS), None)
    if ready is None:
        return BASE_BYTES + NUMBER_BYTES * numbers_in(needs)
    numbers = ready.size // number_bytes(needs.head(WEIGHTS, HEAD_BYTES))
    # while a file of larger numbers is loaded, both it and the 8-bit ones are there
    return BASE_BYTES + max(NUMBER_BYTES * numbers, ready.size + numbers)
