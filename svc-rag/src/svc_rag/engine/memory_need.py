"""How much memory an embedder or reranker takes at most, told from its configuration and its files' headers.

Measured 2026-11-27 (random weights and a vocabulary of the real size, resident peak of a process that loads the model and
embeds texts of 350 tokens): multilingual-e5-small's shape 624 MiB (told: 606); bge-m3's 1,828 MiB (told: 2,055); bge-small's
352 MiB (told: 309). Of the words' rows a quarter is counted: they stay in the file, and a text reads few of them.
"""

from __future__ import annotations

from servicekit.hub import Needs, numbers_in

BASE_BYTES = 72 * 2**20
"""Python, NumPy and the tokenizer's library."""
TOKENIZER_FACTOR = 16
"""Memory for each byte of `tokenizer.json`."""
WORDS_PART = 0.25
PASS_BYTES = 9.5 * 4 * 2_048
"""For each number of the widest layer: what a pass of 2,048 tokens holds at once."""


def memory_need(needs: Needs) -> int:
    """Return bytes. Raises ValueError, TypeError: a size is no number, or the weights are no safetensors."""
    config = needs.json("config.json")
    words = int(config.get("vocab_size") or 0) * int(config["hidden_size"])
    inner = int(config.get("intermediate_size") or 4 * int(config["hidden_size"]))
    tokenizer = sum(file.size for file in needs.files if file.name == "tokenizer.json")
    weights = 4 * (max(0, numbers_in(needs) - words) + WORDS_PART * words)
    return int(BASE_BYTES + TOKENIZER_FACTOR * tokenizer + weights + PASS_BYTES * inner)
