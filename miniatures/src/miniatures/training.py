"""What every trainer shares: seeds, threads, progress lines, checkpoints, learning-rate schedule.

Knows nothing about any one model.
"""

import argparse
import json
import os
import random
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

REPOSITORY = Path(__file__).resolve().parents[3]
WORK_FOLDER = REPOSITORY / "miniatures" / "build"
RECORDS = "training.json"
SAVE_EVERY_S = 60.0
WARMUP_STEPS = 100
FADE_FROM = 0.6


@dataclass(frozen=True)
class Options:
    """What the command line of a trainer says. `minutes` are of processor time, all threads together."""

    minutes: float
    steps: int | None
    seed: int
    threads: int
    nice: int
    out: Path
    fresh: bool
    begin: Path | None


def parse(description: str, minutes: float, out: Path, arguments: list[str] | None = None) -> Options:
    """Read a trainer's command line and set threads, priority and seeds accordingly."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--minutes", type=float, default=minutes, help="processor time to spend")
    parser.add_argument("--steps", type=int, help="a number of steps instead of a time")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--nice", type=int, default=10, help="how far to step back for other programs")
    parser.add_argument("--out", type=Path, default=out, help="folder of the finished model")
    parser.add_argument("--fresh", action="store_true", help="ignore the checkpoint of an earlier run")
    parser.add_argument("--from", dest="begin", type=Path, help="begin with the weights of this model folder")
    options = Options(**vars(parser.parse_args(arguments)))
    os.setpriority(os.PRIO_PROCESS, 0, max(options.nice, os.getpriority(os.PRIO_PROCESS, 0)))
    torch.set_num_threads(options.threads)
    random.seed(options.seed)
    np.random.seed(options.seed)
    torch.manual_seed(options.seed)
    return options


def rate_factor(step: int, progress: float) -> float:
    """Warm up, hold, then fall in a line to a fiftieth: most of the gain comes in the fall.

    `progress` goes from 0 to 1 over the whole training, by steps or by time.
    """
    if step < WARMUP_STEPS:
        return (step + 1) / WARMUP_STEPS
    return 1.0 if progress < FADE_FROM else max(0.02, (1 - progress) / (1 - FADE_FROM))


@dataclass(frozen=True)
class Record:
    """How long a model has learned; `cpu_s` is unknown where it was not measured.

    `before` tells of the run whose weights this one began with.
    """

    steps: int
    cpu_s: float | None
    wall_s: float
    before: "Record | None" = None


def write_record(folder: Path, name: str, record: Record) -> None:
    """Keep the record of one trainer in the model's folder, where its card finds it."""
    records = read_records(folder) | {name: record}
    folder.mkdir(parents=True, exist_ok=True)
    rows = {key: asdict(value) for key, value in sorted(records.items())}
    (folder / RECORDS).write_text(json.dumps(rows, indent=2) + "\n")


def read_records(folder: Path) -> dict[str, Record]:
    """The records of all trainers that wrote into the folder."""
    if not (folder / RECORDS).exists():
        return {}
    return {key: _record(value) for key, value in json.loads((folder / RECORDS).read_text()).items()}


def _record(row: dict[str, Any]) -> Record:
    before = row.pop("before", None)
    return Record(**row, before=_record(before) if before else None)


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
    cpu_s: float = 0.0
    wall_s: float = 0.0
    _averages: dict[str, dict[str, torch.Tensor]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._optimiser = torch.optim.AdamW(
            self._parameters(),
            lr=self.rate,
            weight_decay=self.weight_decay,
            betas=(0.9, 0.98),
            fused=True,
        )
        # Read now: the folder may be the one that is written to.
        self._before = read_records(self.options.begin).get(self.name) if self.options.begin else None
        self._checkpoint = WORK_FOLDER / f"{self.name}.pt"
        if self.ema_decay is not None:
            self._averages = {k: _copy(m.state_dict()) for k, m in self.modules.items()}
        if self._checkpoint.exists() and not self.options.fresh:
            self._resume()

    @property
    def progress(self) -> float:
        """How much of the training is done, from 0 to 1."""
        if self.options.steps is not None:
            return self.step / self.options.steps
        return self.cpu_s / (60 * self.options.minutes)

    def run(self, batch_loss: Callable[[int], dict[str, torch.Tensor]]) -> None:
        """Step until done. `batch_loss(step)` gives named losses, of which "loss" is minimised."""
        wall, cpu = time.monotonic() - self.wall_s, time.process_time() - self.cpu_s
        saved, count = time.monotonic(), 0
        sums: dict[str, float] = {}
        while self.progress < 1:
            losses = batch_loss(self.step)
            self._update(losses["loss"])
            count += 1
            for key, value in losses.items():
                sums[key] = sums.get(key, 0.0) + float(value.detach())
            self.wall_s, self.cpu_s = time.monotonic() - wall, time.process_time() - cpu
            if self.step % 50 == 0 or self.progress >= 1:
                means = " ".join(f"{key} {value / count:.4f}" for key, value in sums.items())
                print(
                    f"{self.name} step {self.step} {100 * self.progress:.1f} % cpu {self.cpu_s:.0f}s "
                    f"wall {self.wall_s:.0f}s {means}",
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
            "cpu_s": self.cpu_s,
            "wall_s": self.wall_s,
            "before": self._before,
            "random": random.getstate(),
            "torch": torch.get_rng_state(),
        }
        # Replaced in one move, so that a stop while writing leaves the earlier checkpoint whole.
        partial = self._checkpoint.with_suffix(".partial")
        torch.save(state, partial)
        os.replace(partial, self._checkpoint)
        if self.save:
            self.save()
            record = Record(self.step, self.cpu_s, self.wall_s, self._before)
            write_record(self.options.out, self.name, record)

    def _parameters(self) -> list[nn.Parameter]:
        return [p for m in self.modules.values() for p in m.parameters() if p.requires_grad]

    def _update(self, loss: torch.Tensor) -> None:
        for group in self._optimiser.param_groups:
            group["lr"] = self.rate * rate_factor(self.step, self.progress)
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
        self.step, self.cpu_s, self.wall_s = state["step"], state["cpu_s"], state["wall_s"]
        self._before = state.get("before")
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
    floats = [key for key, value in current.items() if value.is_floating_point()]
    with torch.no_grad():
        torch._foreach_lerp_([average[key] for key in floats], [current[key] for key in floats], 1 - keep)
        for key in current.keys() - floats:
            average[key].copy_(current[key])
