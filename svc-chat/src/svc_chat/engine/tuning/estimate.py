"""What a training will take of memory and disk, told from the base's header before anything starts.

The factors were measured: docs/decisions/training.md.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import psutil

from svc_chat.engine.gguf_header import GgufHeader
from svc_chat.engine.tuning.recipe import Recipe
from svc_chat.tuning_errors import TrainingTooLarge

LIBRARIES_BYTES = 500 << 20
"""torch, transformers and peft with nothing loaded."""
WEIGHT_BYTES = 6
"""Of one parameter while the file is dequantised to float32; 4 afterwards."""
ADAPTER_COPIES = 6
"""Of the adapter in memory: itself, its gradient, two moments, the best one, and one that is being written."""
CHECKPOINT_COPIES = 8
"""Of the adapter on disk: a checkpoint holds four, and while it is replaced there are two."""
_CGROUP_LIMIT, _CGROUP_USED = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")


@dataclass(frozen=True)
class Estimate:
    """Bytes."""

    memory: int
    disk: int


def estimate(header: GgufHeader, recipe: Recipe, rows: int) -> Estimate:
    """Estimate a training whose largest batch has `rows` rows of `recipe.context_tokens` tokens at most."""
    width, ffn, layers = header.embedding_length, header.feed_forward_length, header.block_count
    heads_width = header.heads * header.key_length
    kv_width = max(header.kv_heads, default=header.heads) * header.key_length
    layer = 2 * (width + heads_width) + 2 * (width + kv_width) + 3 * (width + ffn)
    adapter = recipe.rank * layer * layers * 4
    tokens = rows * recipe.context_tokens
    kept = (
        tokens
        * layers
        * (10 * width + 4 * heads_width + 5 * ffn + header.heads * recipe.context_tokens * 2)
        * 4
    )
    logits = min(tokens, rows * 256) * header.vocab_size * 4 * 4
    memory = LIBRARIES_BYTES + header.parameters * WEIGHT_BYTES + ADAPTER_COPIES * adapter + kept + logits
    return Estimate(memory, adapter * (CHECKPOINT_COPIES + recipe.checkpoints + 2))


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
