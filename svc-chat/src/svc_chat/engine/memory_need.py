"""How much memory a model takes at most, told from its header alone.

The parts were fitted to measurements of random models of 1.5 to 106 MiB (2026-11-26, llama.cpp of llama-cpp-python
0.3.36, processor only): between 1 % below and 18 % above, closer the larger the model. A model with a sliding window
or a recurrent state takes less. Imports no llama_cpp.
"""

from __future__ import annotations

from dataclasses import dataclass

from svc_chat.engine.gguf_header import GgufHeader

CONTEXTS = 4
"""Full contexts that fit the key-value memory: sixteen conversations seldom fill a quarter of theirs."""
CACHE_VALUE_BYTES = 2
"""Keys and values are kept as 16-bit numbers."""
TOKEN_BYTES = 96
"""llama.cpp's tables take about this much for each token of the vocabulary."""
OVERHEAD_BYTES = 8 * 2**20
"""Graph, threads' stacks and Python's own."""


@dataclass(frozen=True)
class MemoryNeed:
    """Bytes: the file's pages and their repacked copy, the key-value memory, buffers for one step."""

    weights: int
    cache: int
    compute: int

    @property
    def total(self) -> int:
        return self.weights + self.cache + self.compute


def cell_bytes(header: GgufHeader) -> int:
    """Return the bytes of one token in the key-value memory."""
    return CACHE_VALUE_BYTES * sum(header.kv_heads) * (header.key_length + header.value_length)


def cells_for(header: GgufHeader, context_tokens: int, cache_bytes: int) -> int:
    """Return for how many tokens the key-value memory is made: `CONTEXTS` contexts if they fit, one in any case."""
    wanted = min(context_tokens, header.context_tokens)
    return max(wanted, min(CONTEXTS * wanted, cache_bytes // max(1, cell_bytes(header))))


def memory_need(header: GgufHeader, *, cells: int, sequences: int, batch_tokens: int = 512) -> MemoryNeed:
    """Return the most that the model takes with `cells` tokens in memory and `sequences` conversations."""
    outputs = 2 * 4 * sequences * header.vocab_size
    layer = 4 * batch_tokens * (3 * header.feed_forward_length + 6 * header.embedding_length)
    mask = 2 * batch_tokens * cells
    tables = TOKEN_BYTES * header.vocab_size
    return MemoryNeed(
        weights=header.file_bytes + header.repacked_bytes,
        cache=cells * cell_bytes(header),
        compute=outputs + layer + mask + tables + OVERHEAD_BYTES,
    )
