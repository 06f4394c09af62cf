"""The training itself: steps, looks at what is held out, checkpoints. Lives in the child process.

What step n reads follows from the seed and n alone, so a training that was killed goes on as if it had not been.
Each step learns the caller's examples, and on general talk stays where the base is: the distance between its
answers' probabilities and the base's own (distillation; Hinton et al. 2015, arXiv 1503.02531).
"""

from __future__ import annotations

import hashlib
import math
import os
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from servicekit.errors import ServiceError
from svc_chat.engine.tuning.adapter_file import write_adapter
from svc_chat.engine.tuning.encode import Encoded, Encoder
from svc_chat.engine.tuning.examples import REHEARSAL, Dialogue, Example, read_examples
from svc_chat.engine.tuning.network import Network
from svc_chat.engine.tuning.recipe import ADAPTER_FILE, CHECKPOINT_FILE, EXAMPLES_FILE, HELD_OUT_FILE, Recipe
from svc_chat.engine.tuning.wording import reworded
from svc_chat.errors import TemplateFailed

CHECKPOINT_S = 15.0
"""Between two checkpoints at most, but for a step that takes longer."""
HELD_OUT_MOST = 64
"""Examples that are looked at."""
Tell = Callable[[dict[str, Any]], None]


@dataclass
class State:
    """How far it has come; all of it lies in a checkpoint."""

    step: int = 0
    best: float = math.inf
    """Loss and drift together, at the best look."""
    best_loss: float = math.inf
    best_step: int = 0
    worse: int = 0
    seconds: float = 0.0
    trained_tokens: int = 0
    best_adapter: dict[str, Tensor] = field(default_factory=dict)


class Training:
    """One training in its folder. `tell` is told of every step and every look."""

    def __init__(self, folder: Path, tell: Tell):
        self.folder, self.tell = folder, tell
        self.recipe = Recipe.read(folder)
        torch.set_num_threads(self.recipe.threads)
        base = Path(self.recipe.base)
        self.encoder = Encoder(base)
        self.network = Network(
            base,
            rank=self.recipe.rank,
            alpha=self.recipe.alpha,
            dropout=self.recipe.dropout,
            seed=self.recipe.seed,
        )
        self.examples = list(read_examples(folder / EXAMPLES_FILE))
        self.rehearsal = sorted(self._encoded(read_examples(REHEARSAL)), key=lambda item: len(item.tokens))
        self.held_out = self._held_out()
        self.optimiser = torch.optim.AdamW(
            self.network.trained(), lr=self.recipe.rate, weight_decay=0.0, betas=(0.9, 0.99)
        )
        marks = range(1, self.recipe.checkpoints + 1)
        self._offered = {self.recipe.steps * mark // (self.recipe.checkpoints + 1) for mark in marks} - {0}
        self.state = State()
        self._read = _digest(folder)
        self._new_examples = False
        self._resume()

    def run(self, stop: Callable[[], bool]) -> bool:
        """Train to the end, or until `stop` says so: then False. Either way a checkpoint is written."""
        recipe, state = self.recipe, self.state
        saved_at = time.monotonic()
        begun = time.monotonic() - state.seconds
        if state.step == 0 or self._new_examples:
            self._look_at_base()
        while state.step < recipe.steps and state.worse < recipe.patience:
            if stop():
                self._save()
                return False
            loss = self._step(state.step)
            state.step += 1
            state.seconds = time.monotonic() - begun
            self.tell(self._progress(loss))
            if state.step % recipe.look_every == 0 or state.step == recipe.steps:
                self._look()
            if state.step in self._offered:
                self._offer()
            if time.monotonic() - saved_at > CHECKPOINT_S:
                self._save()
                saved_at = time.monotonic()
        self._save()
        return True

    def finish(self) -> dict[str, Any]:
        """Write the best adapter as a file that llama.cpp reads, and return the last report."""
        state = self.state
        self.network.set_adapter(state.best_adapter)
        self._write(ADAPTER_FILE)
        return {
            "kind": "done",
            "file": ADAPTER_FILE,
            "step": state.step,
            "best_step": state.best_step,
            "held_out_loss": state.best_loss,
            "drift": state.best - state.best_loss,
            "tokens": state.trained_tokens,
            "seconds": round(state.seconds, 1),
        }

    def _offer(self) -> None:
        """Write what there is as a model of its own."""
        name = f"step-{self.state.step}.gguf"
        self._write(name)
        self.tell({"kind": "checkpoint", "step": self.state.step, "file": name})

    def _write(self, name: str) -> None:
        config = self.network.config
        write_adapter(
            self.folder / name,
            {key: matrix.float().cpu().numpy() for key, matrix in self.network.adapter().items()},
            architecture=config.model_type,
            alpha=self.recipe.alpha,
            heads=config.num_attention_heads,
            kv_heads=config.num_key_value_heads,
            name=self.folder.name,
        )

    def _step(self, step: int) -> float:
        self.network.model.train()
        rate = self.recipe.rate_at(step)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        own = self._own_batch(step)
        general = self._general_batch(step)
        self.optimiser.zero_grad(set_to_none=True)
        loss = self._loss(own)
        loss.backward()
        if general:
            (self.recipe.stay * self._distance(general)).backward()
        torch.nn.utils.clip_grad_norm_(self.network.trained(), 1.0)
        self.optimiser.step()
        self.state.trained_tokens += sum(len(item.tokens) for item in own)
        return float(loss.detach())

    def _own_batch(self, step: int) -> list[Encoded]:
        """Return the caller's examples of this step, each in a wording of its own."""
        count, chosen = len(self.examples), []
        for place in range(step * self.recipe.batch, (step + 1) * self.recipe.batch):
            epoch, within = divmod(place, count)
            order = random.Random(f"{self.recipe.seed}-order-{epoch}").sample(range(count), count)
            rng = random.Random(f"{self.recipe.seed}-wording-{place}")
            chosen.append(reworded(self.examples[order[within]], rng))
        return self._encoded(chosen)

    def _general_batch(self, step: int) -> list[Encoded]:
        """Return neighbours in length, so that little is padding."""
        count = min(self.recipe.rehearsal, len(self.rehearsal))
        rng = random.Random(f"{self.recipe.seed}-rehearsal-{step}")
        window = range(rng.randrange(max(1, len(self.rehearsal) - 4 * count)), len(self.rehearsal))[
            : 4 * count
        ]
        return [self.rehearsal[place] for place in sorted(rng.sample(window, count))]

    def _loss(self, batch: Sequence[Encoded]) -> Tensor:
        tokens, learned = self._padded(batch)
        logits = self.network.logits(tokens[:, :-1], learned[:, 1:])
        return functional.cross_entropy(logits, tokens[:, 1:][learned[:, 1:]])

    def _distance(self, batch: Sequence[Encoded]) -> Tensor:
        """Return how far the answers' probabilities are from the base's (Kullback-Leibler, nats a token)."""
        tokens, learned = self._padded(batch)
        with self.network.as_base():
            base = functional.log_softmax(self.network.logits(tokens[:, :-1], learned[:, 1:]), dim=-1)
        now = functional.log_softmax(self.network.logits(tokens[:, :-1], learned[:, 1:]), dim=-1)
        return functional.kl_div(now, base, reduction="batchmean", log_target=True)

    def _look_at_base(self) -> None:
        """Measure what the base makes of what is held out: the number that every later look is compared with."""
        with self.network.as_base():
            loss = self._held_out_loss()
        self.tell({"kind": "look", "step": 0, "held_out_loss": loss, "drift": 0.0})

    def _held_out_loss(self) -> float:
        self.network.model.eval()
        return self._mean(self._loss, self.held_out, self.recipe.batch)

    def _mean(
        self, measure: Callable[[Sequence[Encoded]], Tensor], items: Sequence[Encoded], at_once: int
    ) -> float:
        """Return the mean of a measure over all learned tokens, few items at a time: a look takes no more memory than a step."""
        total, count = 0.0, 0
        with torch.no_grad():
            for first in range(0, len(items), at_once):
                part = items[first : first + at_once]
                tokens = sum(sum(item.learned[1:]) for item in part)
                if tokens:
                    total, count = total + tokens * float(measure(part)), count + tokens
        return total / max(1, count)

    def _look(self) -> None:
        """Measure on what is held out, and keep the adapter if it is the best so far."""
        state = self.state
        loss = self._held_out_loss()
        general = self.rehearsal[:: max(1, len(self.rehearsal) // 16)]
        drift = self._mean(self._distance, general, max(1, self.recipe.rehearsal))
        if loss + drift < state.best - 1e-3:
            state.best, state.best_step, state.worse = loss + drift, state.step, 0
            state.best_loss, state.best_adapter = loss, self.network.adapter()
        else:
            state.worse += 1
        self.tell({"kind": "look", "step": state.step, "held_out_loss": loss, "drift": drift})

    def _progress(self, loss: float) -> dict[str, Any]:
        state, recipe = self.state, self.recipe
        left = state.seconds / state.step * (recipe.steps - state.step)
        return {
            "kind": "step",
            "step": state.step,
            "steps": recipe.steps,
            "loss": loss,
            "rate": recipe.rate_at(state.step - 1),
            "eta_s": round(left, 1),
            "tokens": state.trained_tokens,
        }

    def _held_out(self) -> list[Encoded]:
        """Return the examples kept apart, or the caller's own in wordings that training does not use."""
        path = self.folder / HELD_OUT_FILE
        if path.exists():
            apart: list[Example] = list(read_examples(path))
            return self._encoded(apart[:HELD_OUT_MOST])
        rng = random.Random(f"{self.recipe.seed}-held-out")
        chosen = rng.sample(self.examples, min(HELD_OUT_MOST, len(self.examples)))
        return self._encoded([reworded(example, rng) for example in chosen])

    def _encoded(self, examples: Any) -> list[Encoded]:
        made = []
        for example in examples:
            rng = random.Random(str(example))
            dialogue = example if isinstance(example, Dialogue) else reworded(example, rng)
            try:
                encoded = self.encoder.encode(dialogue)
            except TemplateFailed:  # rehearsal with tools on a template that knows none
                continue
            most = self.recipe.context_tokens
            if len(encoded.tokens) > most:
                encoded = Encoded(encoded.tokens[-most:], encoded.learned[-most:])
            made.append(encoded)
        return made

    def _padded(self, batch: Sequence[Encoded]) -> tuple[Tensor, Tensor]:
        """Return tokens `(B, T)` and where they are learned; what follows a row's end is never read."""
        width = max(len(item.tokens) for item in batch)
        tokens = [item.tokens + (0,) * (width - len(item.tokens)) for item in batch]
        learned = [item.learned + (False,) * (width - len(item.tokens)) for item in batch]
        device = self.network.device
        return torch.tensor(tokens, device=device), torch.tensor(learned, device=device)

    def _save(self) -> None:
        path = self.folder / CHECKPOINT_FILE
        part = path.with_suffix(".part")
        with part.open("wb") as file:
            torch.save(
                {
                    "adapter": self.network.adapter(),
                    "optimiser": self.optimiser.state_dict(),
                    "state": vars(self.state),
                    "read": self._read,
                },
                file,
            )
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)

    def _resume(self) -> None:
        path = self.folder / CHECKPOINT_FILE
        if not path.exists():
            return
        saved = torch.load(path, map_location=self.network.device, weights_only=True)
        self.network.set_adapter(saved["adapter"])
        self.optimiser.load_state_dict(saved["optimiser"])
        self.state = State(**saved["state"])
        self._new_examples = saved.get("read", self._read) != self._read
        if self._new_examples:  # what was best did not know them, and was measured on others
            state = self.state
            state.best = state.best_loss = math.inf
            state.best_step, state.worse, state.best_adapter = 0, 0, {}


def _digest(folder: Path) -> str:
    """Return what tells the examples and what is held out from others."""
    digest = hashlib.sha256()
    for path in (folder / EXAMPLES_FILE, folder / HELD_OUT_FILE):
        digest.update(path.read_bytes() if path.exists() else b"")
        digest.update(b"\0")
    return digest.hexdigest()


def train_folder(
    folder: Path, tell: Callable[[dict[str, Any]], None], stop: Callable[[], bool]
) -> dict[str, Any]:
    """Go on with the training in `folder`; return its last report."""
    try:
        training = Training(folder, tell)
        return training.finish() if training.run(stop) else {"kind": "stopped"}
    except ServiceError as error:
        return {"kind": "failed", "code": error.code, "message": error.message}
    except MemoryError:
        return {"kind": "failed", "code": "out_of_memory", "message": "The training ran out of memory."}
