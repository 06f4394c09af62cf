"""What every trainer shares: seeds, threads, progress lines, checkpoints, learning-rate schedule.

Knows nothing about any one model.
"""

import argparse
import os
import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

REPOSITORY = Path(__file__).resolve().parents[3]
WORK_FOLDER = REPOSITORY / "miniatures" / "build"
SAVE_EVERY_S = 60.0
WARMUP_STEPS = 100
FADE_FROM = 0.6


@dataclass(frozen=True)
class Options:
    """What the command line of a trainer says."""

    steps: int
    seed: int
    threads: int
    out: Path
    fresh: bool


def parse(description: str, steps: int, out: Path, arguments: list[str] | None = None) -> Options:
    """Read a trainer's command line and set threads and seeds accordingly."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--steps", type=int, default=steps)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=out, help="folder of the finished model")
    parser.add_argument("--fresh", action="store_true", help="ignore the checkpoint of an earlier run")
    options = Options(**vars(parser.parse_args(arguments)))
    torch.set_num_threads(options.threads)
    random.seed(options.seed)
    np.random.seed(options.seed)
    torch.manual_seed(options.seed)
    return options


def rate_factor(step: int, steps: int) -> float:
    """Warm up, hold, then fall in a line to a fiftieth: most of the gain comes in the fall."""
    if step < WARMUP_STEPS:
        return (step + 1) / WARMUP_STEPS
    progress = step / steps
    return 1.0 if progress < FADE_FROM else max(0.02, (1 - progress) / (1 - FADE_FROM))


@dataclass
class Trainer:
    """Runs optimiser steps with averaged weights, progress lines and a checkpoint that survives a stop."""

    name: str
    modules: dict[str, nn.Module]
    options: Options
    rate: float
    weight_decay: float = 0.01
    ema_decay: float | None = None
    save: Callable[[], None] | None = None
    step: int = 0
    seconds: float = 0.0
    _averages: dict[str, dict[str, torch.Tensor]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._optimiser = torch.optim.AdamW(
            self._parameters(), lr=self.rate, weight_decay=self.weight_decay, betas=(0.9, 0.98)
        )
        self._checkpoint = WORK_FOLDER / f"{self.name}.pt"
        if self.ema_decay is not None:
            self._averages = {k: _copy(m.state_dict()) for k, m in self.modules.items()}
        if self._checkpoint.exists() and not self.options.fresh:
            self._resume()

    def run(self, batch_loss: Callable[[int], dict[str, torch.Tensor]]) -> None:
        """Step until done. `batch_loss(step)` gives named losses, of which "loss" is minimised."""
        started, saved, sums, count = time.monotonic(), time.monotonic(), {}, 0
        before = self.seconds
        while self.step < self.options.steps:
            losses = batch_loss(self.step)
            self._update(losses["loss"])
            count += 1
            for key, value in losses.items():
                sums[key] = sums.get(key, 0.0) + float(value.detach())
            self.seconds = before + time.monotonic() - started
            if self.step % 50 == 0 or self.step == self.options.steps:
                means = " ".join(f"{key} {value / count:.4f}" for key, value in sums.items())
                print(
                    f"{self.name} step {self.step}/{self.options.steps} {self.seconds:.0f}s {means}",
                    flush=True,
                )
                sums, count = {}, 0
            if time.monotonic() - saved > SAVE_EVERY_S:
                self.store()
                saved = time.monotonic()
        self.store()

    def averaged(self, name: str) -> dict[str, torch.Tensor]:
        """The averaged weights of a module, or its own where no average is kept."""
        return self._averages.get(name) or _copy(self.modules[name].state_dict())

    def store(self) -> None:
        """Write the checkpoint, then let the trainer write a usable model."""
        self._checkpoint.parent.mkdir(parents=True, exist_ok=True)
        state: dict[str, Any] = {
            "modules": {k: m.state_dict() for k, m in self.modules.items()},
            "optimiser": self._optimiser.state_dict(),
            "averages": self._averages,
            "step": self.step,
            "seconds": self.seconds,
            "random": random.getstate(),
            "torch": torch.get_rng_state(),
        }
        # Replaced in one move, so that a stop while writing leaves the earlier checkpoint whole.
        partial = self._checkpoint.with_suffix(".partial")
        torch.save(state, partial)
        os.replace(partial, self._checkpoint)
        if self.save:
            self.save()

    def _parameters(self) -> list[nn.Parameter]:
        return [p for m in self.modules.values() for p in m.parameters() if p.requires_grad]

    def _update(self, loss: torch.Tensor) -> None:
        for group in self._optimiser.param_groups:
            group["lr"] = self.rate * rate_factor(self.step, self.options.steps)
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self._parameters(), 1.0)
        self._optimiser.step()
        self.step += 1
        if self.ema_decay is not None:
            # A young average must forget quickly, or it remembers the random start.
            keep = min(self.ema_decay, (1 + self.step) / (10 + self.step))
            for name, module in self.modules.items():
                _blend(self._averages[name], module.state_dict(), keep)

    def _resume(self) -> None:
        state = torch.load(self._checkpoint, weights_only=False)
        for name, module in self.modules.items():
            module.load_state_dict(state["modules"][name])
        self._optimiser.load_state_dict(state["optimiser"])
        self._averages = state["averages"]
        self.step, self.seconds = state["step"], state["seconds"]
        random.setstate(state["random"])
        torch.set_rng_state(state["torch"])
        print(f"{self.name} resumes at step {self.step}", flush=True)


def to_tensor(images: Iterable[Any]) -> torch.Tensor:
    """Pictures as a batch of numbers from -1 to 1, channels first."""
    stacked = np.stack([np.asarray(image, dtype=np.float32) for image in images])
    return torch.from_numpy(stacked).permute(0, 3, 1, 2).contiguous() / 127.5 - 1


def _copy(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {key: value.detach().clone() for key, value in state.items()}


def _blend(average: dict[str, torch.Tensor], current: dict[str, torch.Tensor], keep: float) -> None:
    with torch.no_grad():
        for key, value in current.items():
            if value.is_floating_point():
                average[key].lerp_(value, 1 - keep)
            else:
                average[key].copy_(value)
