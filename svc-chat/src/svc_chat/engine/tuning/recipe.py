"""What decides a training's result: a recipe, written beside the examples and read by the child process.

Knows nothing about tensors. The numbers were chosen by measurement: docs/decisions/training.md.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, replace
from pathlib import Path

TRAINABLE = ("llama", "qwen2")
"""Architectures (`general.architecture`) that can be trained: transformers reads their files, and `adapter_file.py`
knows their matrices."""
SMALL_PARAMETERS = 50_000_000
"""Below this a model has few places to put what it learns: it gets a wider adapter and a higher rate."""
EXAMPLES_FILE, HELD_OUT_FILE, RECIPE_FILE = "examples.jsonl", "held-out.jsonl", "recipe.json"
CHECKPOINT_FILE, ADAPTER_FILE, LOCK_FILE = "checkpoint.pt", "adapter.gguf", "lock"


@dataclass(frozen=True)
class Recipe:
    """How one training runs.

    `batch` examples of the caller's and `rehearsal` general dialogues make a step; `stay` weighs how far answers to
    those may move from the base's. `steps` is the most; training
    ends earlier when `patience` looks in a row at what is held out, one every `look_every` steps, show no gain.
    """

    base: str
    steps: int = 400
    batch: int = 16
    rehearsal: int = 12
    stay: float = 2.0
    rate: float = 2e-3
    rank: int = 32
    alpha: int = 64
    dropout: float = 0.0
    warmup: int = 10
    look_every: int = 20
    patience: int = 4
    context_tokens: int = 1024
    threads: int = 2
    seed: int = 1
    checkpoints: int = 3

    def write(self, folder: Path) -> None:
        """Write it into `folder`, whole or not at all."""
        part = folder / f"{RECIPE_FILE}.part"
        part.write_text(json.dumps(asdict(self)), encoding="utf-8")
        part.replace(folder / RECIPE_FILE)

    @staticmethod
    def read(folder: Path) -> Recipe:
        """Read the one in `folder`."""
        return Recipe(**json.loads((folder / RECIPE_FILE).read_text(encoding="utf-8")))

    def rate_at(self, step: int) -> float:
        """Return the learning rate of step `step`, counted from 0: a short rise, then a cosine down to a tenth."""
        if step < self.warmup:
            return self.rate * (step + 1) / self.warmup
        share = (step - self.warmup) / max(1, self.steps - self.warmup)
        return self.rate * (0.1 + 0.45 * (1 + math.cos(math.pi * min(1.0, share))))


def recipe_for(
    base: Path,
    parameters: int,
    examples: int,
    *,
    threads: int,
    epochs: int | None = None,
    batch: int | None = None,
    rate_multiplier: float | None = None,
    seed: int | None = None,
) -> Recipe:
    """Return how `examples` examples are trained on a model of so many parameters."""
    if parameters < SMALL_PARAMETERS:
        # a small model gains nothing from a second thread: waiting for it costs more than it works
        recipe = Recipe(str(base), threads=1)
        steps = min(2000, max(300, 8 * examples))
    else:
        recipe = Recipe(
            str(base), batch=4, rehearsal=2, rate=3e-4, rank=8, alpha=16, look_every=10, threads=threads
        )
        steps = min(1000, max(40, 2 * examples))
    if batch is not None:
        recipe = replace(recipe, batch=batch)
    if epochs is not None:
        steps = max(1, math.ceil(epochs * examples / recipe.batch))
    rate = recipe.rate * (rate_multiplier or 1.0)
    look = max(1, min(recipe.look_every, steps // 4))
    return replace(recipe, steps=steps, rate=rate, look_every=look, seed=1 if seed is None else seed)
