"""Train the chat miniature: `python -m miniatures.text.chat_train --minutes 50`.

Owns the loop, checkpoints and resume. The learning rate follows the share of the time (or of
`--steps`) that has passed, so a slow machine still finishes its schedule.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from torch.nn import functional
from transformers import LlamaConfig, LlamaForCausalLM

from miniatures.text import chat_gguf, chat_score, optim
from miniatures.text.cards import chat_card, write_card
from miniatures.text.chat_format import END, PAD, START, Dialogue, segments
from miniatures.text.chat_tokenizer import load_or_train
from miniatures.text.chat_world import dialogues
from miniatures.training import REPOSITORY, WORK_FOLDER

CONTEXT = 4096
OTHER_SHARE, OTHER_WEIGHT = 0.12, 0.3


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the result; `minutes` counts only when `steps` is 0."""

    hidden: int = 128
    layers: int = 4
    heads: int = 4
    feed_forward: int = 384
    tokens_per_step: int = 1280
    lr: float = 4e-3
    seed: int = 1
    minutes: float = 33.5
    steps: int = 0


def build_model(recipe: Recipe, tokenizer: Tokenizer) -> LlamaForCausalLM:
    """Return an untrained Llama of the recipe's size."""
    torch.manual_seed(recipe.seed)
    config = LlamaConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=recipe.hidden,
        intermediate_size=recipe.feed_forward,
        num_hidden_layers=recipe.layers,
        num_attention_heads=recipe.heads,
        num_key_value_heads=recipe.heads,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
        rms_norm_eps=1e-5,
        initializer_range=0.04,
        bos_token_id=tokenizer.token_to_id(START),
        eos_token_id=tokenizer.token_to_id(END),
        pad_token_id=tokenizer.token_to_id(PAD),
    )
    return LlamaForCausalLM(config)


def encode(dialogue: Dialogue, tokenizer: Tokenizer) -> tuple[list[int], list[bool]]:
    """Return token ids and, for each, whether the model is the one who writes it."""
    ids: list[int] = []
    own: list[bool] = []
    for text, writes in segments(dialogue):
        piece = tokenizer.encode(text, add_special_tokens=False).ids
        ids += piece
        own += [writes] * len(piece)
    return ids, own


def copying_share(progress: float) -> float:
    """Return how much of the training is repeating words: half at first, little from two fifths on."""
    return max(0.04, 0.5 * (1 - progress / 0.4))


def batches(
    recipe: Recipe, tokenizer: Tokenizer, seed: int, copying: Callable[[], float]
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield ids and marks `(B, T)`: dialogues of like length together, so that little is padding."""
    rng = random.Random(seed)
    source = dialogues(seed, copying)
    pad = tokenizer.token_to_id(PAD)
    while True:
        pool = sorted(
            (encode(item, tokenizer) for item in islice(source, 400)), key=lambda item: len(item[0])
        )
        groups: list[list[tuple[list[int], list[bool]]]] = [[]]
        for item in pool:
            if groups[-1] and (len(groups[-1]) + 1) * len(item[0]) > recipe.tokens_per_step:
                groups.append([])
            groups[-1].append(item)
        rng.shuffle(groups)
        for group in groups:
            width = max(len(ids) for ids, _ in group)
            ids = torch.tensor([ids + [pad] * (width - len(ids)) for ids, _ in group])
            marks = torch.tensor([[1 + own for own in mine] + [0] * (width - len(mine)) for _, mine in group])
            yield ids, marks


def step_loss(model: LlamaForCausalLM, ids: torch.Tensor, marks: torch.Tensor) -> tuple[torch.Tensor, float]:
    """Return the loss to descend and the loss on the model's own words.

    A sample of the other words counts a little: it teaches the language without the cost of a
    whole output layer.
    """
    hidden = model.model(input_ids=ids[:, :-1], use_cache=False).last_hidden_state
    targets, kinds = ids[:, 1:], marks[:, 1:]
    chosen = (kinds == 2) | ((kinds == 1) & (torch.rand(kinds.shape) < OTHER_SHARE))
    logits = model.lm_head(hidden[chosen])
    losses = functional.cross_entropy(logits, targets[chosen], reduction="none")
    own = kinds[chosen] == 2
    weights = torch.where(own, 1.0, OTHER_WEIGHT)
    return (losses * weights).sum() / weights.sum(), float(losses.detach()[own].mean())


def save(
    path: Path, model: LlamaForCausalLM, optimisers: list[torch.optim.Optimizer], done: dict[str, Any]
) -> None:
    """Write a checkpoint in one move, so that a killed run never leaves half a file."""
    state = {"model": model.state_dict(), "optimisers": [o.state_dict() for o in optimisers], "done": done}
    torch.save(state, path.with_suffix(".part"))
    path.with_suffix(".part").rename(path)


def train(recipe: Recipe, folder: Path) -> tuple[LlamaForCausalLM, Tokenizer, dict[str, Any]]:
    """Train, or go on from the checkpoint in `folder`; return the model and how it was made."""
    torch.set_num_threads(1)
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = load_or_train(folder / "tokenizer.json")
    model = build_model(recipe, tokenizer)
    optimisers = optim.build(model, recipe.lr)
    checkpoint = folder / "checkpoint.pt"
    done: dict[str, Any] = {"step": 0, "tokens": 0, "seconds": 0.0}
    if checkpoint.exists():
        state = torch.load(checkpoint)
        model.load_state_dict(state["model"])
        for optimiser, saved in zip(optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(saved)
        done = state["done"]
    (folder / "recipe.json").write_text(json.dumps(asdict(recipe)))
    print(f"parameters {sum(p.numel() for p in model.parameters())}, from step {done['step']}", flush=True)
    started, saved_at, running = time.monotonic() - done["seconds"], time.monotonic(), 0.0

    def passed() -> float:
        return done["step"] / recipe.steps if recipe.steps else done["seconds"] / 60 / recipe.minutes

    source = batches(
        recipe, tokenizer, recipe.seed * 1000 + int(done["step"]), lambda: copying_share(passed())
    )
    for ids, marks in source:
        done["seconds"] = time.monotonic() - started
        progress = passed()
        if progress >= 1:
            break
        optim.set_rate(optimisers, optim.rate(progress, recipe.lr))
        loss, own = step_loss(model, ids, marks)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimiser in optimisers:
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        done["step"] += 1
        done["tokens"] += ids.numel()
        running = own if running == 0.0 else 0.98 * running + 0.02 * own
        if done["step"] % 20 == 0:
            pace = done["tokens"] / done["seconds"]
            print(f"step {done['step']} {progress:.3f} loss {running:.4f} tokens/s {pace:.0f}", flush=True)
        if time.monotonic() - saved_at > 120:
            save(checkpoint, model, optimisers, done)
            saved_at = time.monotonic()
    save(checkpoint, model, optimisers, done)
    return model, tokenizer, done


def finish(
    recipe: Recipe, model: LlamaForCausalLM, tokenizer: Tokenizer, done: dict[str, Any], out: Path
) -> None:
    """Write the GGUF, run the suite on it and write the card."""
    path = out / f"{chat_gguf.NAME}.gguf"
    chat_gguf.write_gguf(path, model, tokenizer)
    made = {
        **done, "parameters": sum(p.numel() for p in model.parameters()),
        "vocabulary": tokenizer.get_vocab_size(), "context": CONTEXT,
    }  # fmt: skip
    summary = chat_score.run(path).summary()
    write_card(out, chat_card(recipe, made, summary, path.stat().st_size))
    print(json.dumps(summary), flush=True)


def main() -> None:
    """Train and write the GGUF."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=WORK_FOLDER / "chat", help="of checkpoints")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "svc-chat" / "models" / chat_gguf.NAME)
    parser.add_argument("--minutes", type=float, default=Recipe.minutes)
    parser.add_argument("--steps", type=int, default=Recipe.steps)
    parser.add_argument("--seed", type=int, default=Recipe.seed)
    args = parser.parse_args()
    recipe = Recipe(minutes=args.minutes, steps=args.steps, seed=args.seed)
    finish(recipe, *train(recipe, args.folder), args.out)


if __name__ == "__main__":
    main()
