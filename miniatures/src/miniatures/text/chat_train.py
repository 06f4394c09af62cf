"""Train the chat miniature: `python -m miniatures.text.chat_train`, and on with `--from` its file.

Going on adds the analysis of data to what it was taught, of which it is told again so that nothing is forgotten.
Owns the loop, checkpoints and resume. Data, learning rate and curriculum follow from the step alone,
so a run that was stopped and went on ends with the same weights as one that was not.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path

import torch
import torch.distributed
from tokenizers import Tokenizer
from torch.nn import functional
from transformers import LlamaForCausalLM

from miniatures.text import chat_analysis_score, chat_gguf, chat_init, chat_model, chat_score, optim
from miniatures.text.analysis_cases import analysis_cases
from miniatures.text.cards import write_card
from miniatures.text.chat_card import analysis_card, chat_card
from miniatures.text.chat_format import END, PAD, START, Dialogue, segments
from miniatures.text.chat_outside import outside_cases
from miniatures.text.chat_tokenizer import id_of, load_or_train
from miniatures.text.chat_world import dialogues
from miniatures.text.clock import Clock
from miniatures.training import REPOSITORY, WORK_FOLDER

CONTEXT = 4096
AVERAGE_EVERY, SAVE_EVERY = 20, 60
"""Steps, where several processes train together."""
POOL = 1000
OTHER_SHARE, OTHER_WEIGHT = 0.08, 0.25
ANALYSIS_CASES, ANALYSIS_SEED = 300, 777
"""What the card tells of; the cases of another seed were looked at while the model was trained."""


@dataclass(frozen=True)
class Recipe:
    """What decides the result, with the seed: nothing depends on how fast the machine is.

    From step `choices_from` on, the number of a citation weighs `choice_weight` words: it is one word
    of an answer, and the only one that cannot be copied. Of the dialogues, `analysis_share` are of data analysis;
    what stands in their code behind a quote, a bracket or the end of a line is often such a choice, and weighs
    `code_weight`.
    """

    vocabulary: int = 2048
    hidden: int = 128
    layers: int = 5
    heads: int = 4
    head_size: int = 64
    feed_forward: int = 384
    tokens_per_step: int = 2048
    lr: float = 3e-3
    seed: int = 1
    steps: int = 4000
    choices_from: int = 1700
    choice_weight: float = 8.0
    analysis_share: float = 0.0
    code_weight: float = 1.0
    decay_from: float = 0.55


@dataclass(frozen=True)
class Share:
    """Which of how many processes this one is; each has data of its own, and their weights are averaged now and then.

    Local SGD (Stich 2019, arXiv 1805.09767): on a busy machine threads that meet in every product wait more than
    they work (measured 2026-11-27: two of them an eighth of one's speed), processes that meet every twenty steps do not.
    """

    number: int = 0
    of: int = 1

    def meet(self, folder: Path) -> None:
        """Find the other processes, which are given the same folder."""
        if self.of > 1:
            torch.distributed.init_process_group(
                "gloo", init_method=f"file://{folder / 'meeting'}", rank=self.number, world_size=self.of
            )

    def average(self, model: LlamaForCausalLM) -> None:
        """Give all processes the mean of their weights."""
        with torch.no_grad():
            weights = torch.nn.utils.parameters_to_vector(model.parameters())
            torch.distributed.all_reduce(weights)
            torch.nn.utils.vector_to_parameters(weights / self.of, model.parameters())

    def part(self) -> None:
        """Leave the others, when all have ended."""
        if self.of > 1:
            torch.distributed.barrier()
            torch.distributed.destroy_process_group()


FURTHER = Recipe(
    lr=1.5e-3, seed=6, steps=780, choices_from=0, analysis_share=0.6, code_weight=5.0, decay_from=0.3
)
"""How a trained model goes on."""


def build_model(recipe: Recipe, tokenizer: Tokenizer) -> LlamaForCausalLM:
    """Return an untrained Llama of the recipe's size."""
    torch.manual_seed(recipe.seed)
    model = chat_model.build(
        tokenizer.get_vocab_size(),
        hidden=recipe.hidden,
        layers=recipe.layers,
        heads=recipe.heads,
        head_size=recipe.head_size,
        feed_forward=recipe.feed_forward,
        context=CONTEXT,
        ends=(id_of(tokenizer, START), id_of(tokenizer, END), id_of(tokenizer, PAD)),
    )
    chat_init.prime(model)
    return model


def encode(dialogue: Dialogue, tokenizer: Tokenizer) -> tuple[list[int], list[bool]]:
    """Return token ids and, for each, whether the model is the one who writes it."""
    ids: list[int] = []
    own: list[bool] = []
    for text, writes in segments(dialogue):
        piece = tokenizer.encode(text, add_special_tokens=False).ids
        ids += piece
        own += [writes] * len(piece)
    return ids, own


@dataclass
class Done:
    """How far a training has come, and where its data goes on: in a pool begun at a point of training."""

    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    pool: int = 0
    skip: int = 0
    pool_progress: float = 0.0


def pool_batches(
    recipe: Recipe, tokenizer: Tokenizer, pool: int, progress: float
) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Return ids and marks `(B, T)`: dialogues of like length together, so that little is padding."""
    seed = recipe.seed * 100_000 + pool
    progress = 1.0 if recipe.analysis_share else progress
    pad = id_of(tokenizer, PAD)
    rows = sorted(
        (encode(item, tokenizer) for item in islice(dialogues(seed, progress, recipe.analysis_share), POOL)),
        key=lambda item: len(item[0]),
    )
    groups: list[list[tuple[list[int], list[bool]]]] = [[]]
    for item in rows:
        if groups[-1] and (len(groups[-1]) + 1) * len(item[0]) > recipe.tokens_per_step:
            groups.append([])
        groups[-1].append(item)
    random.Random(seed).shuffle(groups)
    made = []
    for group in groups:
        width = max(len(ids) for ids, _ in group)
        ids = torch.tensor([ids + [pad] * (width - len(ids)) for ids, _ in group])
        marks = torch.tensor([[1 + own for own in mine] + [0] * (width - len(mine)) for _, mine in group])
        made.append((ids, marks))
    return made


def batches(
    recipe: Recipe, tokenizer: Tokenizer, done: Done, share: Share = Share()
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield batches from where `done` stands, and move it on."""
    while done.step < recipe.steps:
        pool = done.pool * share.of + share.number
        for ids, marks in pool_batches(recipe, tokenizer, pool, done.pool_progress)[done.skip :]:
            done.skip += 1
            yield ids, marks
            if done.step >= recipe.steps:
                return
        done.pool, done.skip, done.pool_progress = done.pool + 1, 0, done.step / recipe.steps


def step_loss(
    model: LlamaForCausalLM,
    ids: torch.Tensor,
    marks: torch.Tensor,
    kind: torch.dtype,
    *,
    seed: int,
    choices: Mapping[int | None, float],
) -> tuple[torch.Tensor, float]:
    """Return the loss to descend and the loss on the model's own words.

    A sample of the other words counts a little: it teaches the language without the cost of a whole
    output layer. What the model says after one of the words `choices` counts as often as they say.
    """
    hidden = chat_model.hidden_states(model, ids[:, :-1], kind)
    before, targets, kinds = ids[:, :-1].flatten(), ids[:, 1:].flatten(), marks[:, 1:].flatten()
    draw = torch.rand(kinds.shape, generator=torch.Generator().manual_seed(seed))
    chosen = ((kinds == 2) | ((kinds == 1) & (draw < OTHER_SHARE))).nonzero().squeeze(1)
    logits = functional.linear(hidden[chosen], model.lm_head.weight.to(kind)).float()
    losses = functional.cross_entropy(logits, targets[chosen], reduction="none")
    own = kinds[chosen] == 2
    weights = torch.where(own, 1.0, OTHER_WEIGHT)
    for choice, weight in choices.items():
        weights[own & (before[chosen] == choice)] = weight
    return (losses * weights).sum() / weights.sum(), float(losses.detach()[own].mean())


def _rate(recipe: Recipe, step: int) -> float:
    warm = min(72, recipe.steps // 12)
    return optim.rate(step, recipe.steps, recipe.lr, warm=warm, decay_from=recipe.decay_from)


def save(path: Path, model: LlamaForCausalLM, optimisers: list[torch.optim.Optimizer], done: Done) -> None:
    """Write a checkpoint in one move, so that a killed run never leaves half a file."""
    state = {
        "model": model.state_dict(), "optimisers": [o.state_dict() for o in optimisers], "done": asdict(done),
    }  # fmt: skip
    torch.save(state, path.with_suffix(".part"))
    path.with_suffix(".part").rename(path)


def resume(path: Path, model: LlamaForCausalLM, optimisers: list[torch.optim.Optimizer]) -> Done:
    """Go on from a checkpoint, if there is one; return how far it had come."""
    if not path.exists():
        return Done()
    state = torch.load(path)
    model.load_state_dict(state["model"])
    for optimiser, saved in zip(optimisers, state["optimisers"], strict=True):
        optimiser.load_state_dict(saved)
    return Done(**state["done"])


def begin(recipe: Recipe, folder: Path, trained: Path | None) -> tuple[LlamaForCausalLM, Tokenizer]:
    """Return the model that a training begins with: an untrained one, or that of a GGUF file."""
    if trained is None:
        tokenizer = load_or_train(folder / "tokenizer.json", recipe.vocabulary)
        return build_model(recipe, tokenizer), tokenizer
    tokenizer = chat_gguf.read_tokenizer(trained)
    model = build_model(recipe, tokenizer)
    model.load_state_dict(chat_init.deepened(chat_gguf.read_weights(trained), recipe.layers))
    return model, tokenizer


def train(
    recipe: Recipe, folder: Path, trained: Path | None = None, threads: int = 1, share: Share = Share()
) -> tuple[LlamaForCausalLM, Tokenizer, Done]:
    """Train, or go on from the checkpoint in `folder`; return the model and how it was made."""
    torch.set_num_threads(threads)
    folder.mkdir(parents=True, exist_ok=True)
    model, tokenizer = begin(recipe, folder, trained)
    kind, bracket = chat_model.working_type(), tokenizer.token_to_id("[")
    decided_after = [tokenizer.token_to_id(mark) for mark in ("'", "\\", "(", "#", "].")]
    optimisers = optim.build(model, recipe.lr, kind)
    checkpoint = folder / (f"checkpoint-{share.number}.pt" if share.of > 1 else "checkpoint.pt")
    share.meet(folder)
    done = resume(checkpoint, model, optimisers)
    print(f"parameters {sum(p.numel() for p in model.parameters())}, from step {done.step}", flush=True)
    clock, running = Clock(done), 0.0
    for ids, marks in batches(recipe, tokenizer, done, share):
        optim.set_rate(optimisers, _rate(recipe, done.step))
        weight = recipe.choice_weight if done.step >= recipe.choices_from else 1.0
        seed = recipe.seed * 1_000_000 + done.step
        choices = {**dict.fromkeys(decided_after, recipe.code_weight), bracket: weight}
        loss, own = step_loss(model, ids, marks, kind, seed=seed, choices=choices)
        optim.step(model, optimisers, loss)
        done.step += 1
        done.tokens += ids.numel()
        clock.tick()
        running = own if running == 0.0 else 0.98 * running + 0.02 * own
        if done.step % 50 == 0:
            print(
                f"step {done.step} of {recipe.steps} loss {running:.4f} tokens {done.tokens} "
                f"cpu {done.cpu_seconds:.0f} s wall {done.seconds:.0f} s",
                flush=True,
            )
        if share.of > 1 and (done.step % AVERAGE_EVERY == 0 or done.step == recipe.steps):
            share.average(model)
        if clock.save_is_due() if share.of == 1 else done.step % SAVE_EVERY == 0:
            save(checkpoint, model, optimisers, done)
    save(checkpoint, model, optimisers, done)
    share.part()
    return model, tokenizer, done


def finish(
    recipe: Recipe, model: LlamaForCausalLM, tokenizer: Tokenizer, done: Done, out: Path, processes: int = 1
) -> None:
    """Write the GGUF, run the suite on it and write the card."""
    path = out / f"{chat_gguf.ANALYST if recipe.analysis_share else chat_gguf.NAME}.gguf"
    chat_gguf.write_gguf(path, model, tokenizer)
    made = {
        **asdict(done), "parameters": sum(p.numel() for p in model.parameters()),
        "vocabulary": tokenizer.get_vocab_size(), "context": CONTEXT, "processes": processes,
        "tokens": done.tokens * processes, "cpu_seconds": done.cpu_seconds * processes,
    }  # fmt: skip
    measured = chat_score.run(path).summary()
    strangers = chat_score.run(path, outside_cases()).summary()
    measured["outside"] = f"{strangers['right']} of {strangers['dialogues']}"
    measured["reading"] = asdict(chat_score.read_fresh(path))
    card = chat_card
    if recipe.analysis_share:
        cases = analysis_cases(ANALYSIS_CASES, ANALYSIS_SEED)
        measured["analysis"], card = chat_analysis_score.run(path, cases).summary(), analysis_card
    write_card(out, card(recipe, made, measured, path.stat().st_size))
    print(json.dumps(measured), flush=True)


def main() -> None:
    """Train and write the GGUF."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=WORK_FOLDER / "chat", help="of checkpoints")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--from", dest="trained", type=Path, help="go on from this GGUF file")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--seed", type=int)
    parser.add_argument(
        "--share", type=int, nargs=2, default=(0, 1), metavar=("NUMBER", "OF"),
        help="one of several processes",
    )  # fmt: skip
    args = parser.parse_args()
    recipe = FURTHER if args.trained else Recipe()
    recipe = replace(recipe, steps=args.steps or recipe.steps, seed=args.seed or recipe.seed)
    share = Share(*args.share)
    trained = train(recipe, args.folder, args.trained, args.threads, share)
    if share.number == 0:
        name = chat_gguf.ANALYST if args.trained else chat_gguf.NAME
        finish(recipe, *trained, args.out or REPOSITORY / "svc-chat" / "models" / name, share.of)


if __name__ == "__main__":
    main()
