"""How much memory a neural voice takes at most, told from its files' headers.

Measured 2026-11-27 (random weights, resident peak of a process that loads and speaks):

- VITS's own shape, 138 MiB of 32-bit weights, a clause of sixty letters: 626 MiB (told: 629)
- Kokoro-82M's graph, exported from its own code, the longest clause there is (two hundred letters, 23 s of sound): with
  32-bit weights 914 MiB (told: 980), made 8-bit by ONNX Runtime 861 MiB (told: 779); sixty letters, 7.6 s: 636 and 422

Piper is told by the same rule with what its smaller net needs; that one is not measured.
"""

from __future__ import annotations

from servicekit.hub import Needs, numbers_in

BASE_BYTES = 490 * 2**20
"""Python, torch, transformers and the samples of a clause on their way."""
ONNX_BASE_BYTES = 170 * 2**20
"""Python, ONNX Runtime, espeak-ng and the plan of a graph."""
CLAUSE_BYTES = {"kokoro": 500 * 2**20, "piper": 120 * 2**20}
"""What lies between a long clause and its samples."""


def memory_need(needs: Needs, kind: str) -> int:
    """Return bytes."""
    if kind in CLAUSE_BYTES:
        graph = max(file.size for file in needs.files if file.name.endswith(".onnx"))
        return ONNX_BASE_BYTES + graph + CLAUSE_BYTES[kind]
    return BASE_BYTES + 4 * numbers_in(needs)
