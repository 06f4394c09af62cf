"""What a training will take of memory and disk, told from the base's header and its longest rows before anything starts.

The factors are fitted to the peak resident memory of the child, measured for the built-in model and for one of
SmolLM2-135M's shape, and lie a little above it: docs/decisions/training.md has the runs, `test_training_estimate.py`
holds them. Tokens are not counted but told from bytes: the vocabulary is not read before the training starts.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import psutil

from svc_chat.engine.gguf_header import GgufHeader
from svc_chat.engine.tuning.examples import Dialogue, Example
from svc_chat.engine.tuning.recipe import Recipe
from svc_chat.tuning_errors import TrainingTooLarge

LIBRARIES_BYTES = 500 << 20
"""torch, transformers and peft with nothing loaded, and what torch keeps for itself."""
LOADING_BYTES = 5
"""Of one parameter while the file is dequantised to float32, beside the file itself."""
LOADED_BYTES = 4
ADAPTER_COPIES = 6
"""Of the adapter in memory: itself, its gradient, two moments, the best one, and one that is being written."""
LOGIT_COPIES = 6
"""Of the logits of learned tokens: the base's, the network's, their logarithms and gradients."""
CHECKPOINT_COPIES = 8
"""Of the adapter on disk: a checkpoint holds four, and while it is replaced there are two."""
BYTES_A_TOKEN = 2
"""At least: the built-in model's tokens have 3 bytes, those of large vocabularies 3 to 4 of English, fewer of others."""
TEMPLATE_TOKENS, TURN_TOKENS = 64, 8
"""What a chat template adds at most to a dialogue (a system prompt of its own) and to each turn, in usual ones."""
_CGROUP_LIMIT, _CGROUP_USED = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")


@dataclass(frozen=True)
class Estimate:
    """Bytes."""

    memory: int
    disk: int


@dataclass(frozen=True)
class Batch:
    """The largest that a step reads: `rows` of `tokens` tokens at most, of which `learned` are learned at most."""

    rows: int
    tokens: int
    learned: int


def largest_batch(examples: Iterable[Example], rows: int, context_tokens: int) -> Batch:
    """Return the batch that `rows` of the longest of `examples` would be."""
    tokens = learned = 0
    for example in examples:
        read, written = _most_tokens(example)
        tokens, learned = max(tokens, read + written), max(learned, written)
    return Batch(rows, min(tokens, context_tokens), min(learned, context_tokens))


def estimate(header: GgufHeader, recipe: Recipe, batches: Iterable[Batch]) -> Estimate:
    """Estimate a training whose steps read `batches` one after the other."""
    width, heads_width, kv_width = _widths(header)
    layer = 2 * (width + heads_width) + 2 * (width + kv_width) + 3 * (width + header.feed_forward_length)
    adapter = recipe.rank * layer * header.block_count * 4
    loading = header.parameters * LOADING_BYTES + header.tensor_bytes
    reading = max((_kept_bytes(header, batch) for batch in batches), default=0)
    training = header.parameters * LOADED_BYTES + ADAPTER_COPIES * adapter + reading
    memory = LIBRARIES_BYTES + max(loading, training)
    return Estimate(memory, adapter * (CHECKPOINT_COPIES + recipe.checkpoints + 2))


def _kept_bytes(header: GgufHeader, batch: Batch) -> int:
    """Return what is kept of a batch from its way through the network until its gradients are there, in float32."""
    width, heads_width, _ = _widths(header)
    token = 14 * width + 6 * heads_width + 7 * header.feed_forward_length
    attention = 5 * header.heads * batch.tokens // 2
    logits = LOGIT_COPIES * batch.learned * header.vocab_size
    return 4 * batch.rows * (batch.tokens * header.block_count * (token + attention) + logits)


def _widths(header: GgufHeader) -> tuple[int, int, int]:
    kv_heads = max(header.kv_heads, default=header.heads)
    return header.embedding_length, header.heads * header.key_length, kv_heads * header.key_length


def _most_tokens(example: Example) -> tuple[int, int]:
    """Return how many tokens an example has at most: those that are only read, and those of its answers."""
    if not isinstance(example, Dialogue):
        told = _tokens(example.text)
        return told + TEMPLATE_TOKENS + 2 * TURN_TOKENS, told + 1
    sizes = [_tokens(message.content) + TURN_TOKENS for message in example.messages]
    written = sum(sizes[place] for place in example.answers)
    tools = _tokens(str(list(example.tools))) if example.tools else 0
    return sum(sizes) - written + TEMPLATE_TOKENS + tools, written


def _tokens(text: str) -> int:
    return len(text.encode()) // BYTES_A_TOKEN + 1


def check_fits(need: Estimate, folder: Path) -> None:
    """Raise TrainingTooLarge when the machine (or container) has not that much free."""
    free = free_memory_bytes()
    if need.memory > free:
        raise TrainingTooLarge(
            "memory", need.memory, free, "Choose a smaller base model, or free the models that are loaded."
        )
    disk = shutil.disk_usage(folder).free
    if need.disk > disk:
        raise TrainingTooLarge("disk space", need.disk, disk, "Free some disk space.")


def free_memory_bytes() -> int:
    """Return what is free in this machine and this container."""
    free = int(psutil.virtual_memory().available)
    try:
        return min(free, int(_CGROUP_LIMIT.read_text()) - int(_CGROUP_USED.read_text()))
    except (OSError, ValueError):
        return free
