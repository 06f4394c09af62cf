"""Train a translation miniature: `python -m miniatures.text.translate_train --source en`.

Writes a Marian folder that transformers and the CTranslate2 converter both load. One SentencePiece
model serves both sides, so embeddings are shared.
"""

from __future__ import annotations

import argparse
import io
import json
import random
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import sentencepiece
import torch
from torch.nn import functional
from transformers import MarianConfig, MarianMTModel, MarianTokenizer

from miniatures.text import optim, words
from miniatures.text.cards import size_of, translate_card, write_card
from miniatures.text.clock import Clock
from miniatures.text.translate_data import INVENTED_IN_TRAINING, one_way, pairs
from miniatures.text.translate_score import score, words_in
from miniatures.training import REPOSITORY, WORK_FOLDER

POOL = 4000
MEASURED = 1000
"""Held-out sentences of each world that the card's scores are of."""
NAME_POOLS = 1000
"""Pools from this number on are of the second cycle."""
MODEL_NAMES = {"en": "en-pt", "pt": "pt-en"}


@dataclass(frozen=True)
class Recipe:
    """What decides the result, with the seed: nothing depends on how fast the machine is.

    After `steps` come `name_steps` of a second, gentler cycle in which most names are made up.
    """

    source: str
    vocabulary: int = 3000
    hidden: int = 128
    encoder_layers: int = 2
    decoder_layers: int = 2
    heads: int = 4
    feed_forward: int = 384
    tokens_per_step: int = 1800
    lr: float = 3e-3
    seed: int = 1
    steps: int = 2400
    name_steps: int = 600
    name_lr: float = 1.5e-3
    invented: float = 0.6


@dataclass
class Done:
    """How far a training has come, and where its data goes on: a pool, and how many of its batches to skip."""

    steps: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    loss: float = 0.0
    pool: int = 0
    skip: int = 0


def load_or_write_tokenizer(recipe: Recipe, folder: Path) -> MarianTokenizer:
    """Return the tokenizer in `folder`, training SentencePiece on both languages first if there is none."""
    if (folder / "tokenizer_config.json").exists():
        return MarianTokenizer.from_pretrained(folder)
    folder.mkdir(parents=True, exist_ok=True)
    corpus: list[str] = []
    for pair, _ in islice(pairs(recipe.seed), 30000):
        corpus += [pair.en, pair.pt]
    corpus += list(words.PEOPLE) * 10 + list(words.CITIES) * 10
    rng = random.Random(recipe.seed)
    corpus += [words.made_up(rng) for _ in range(5000)]
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(corpus),
        model_writer=model,
        vocab_size=recipe.vocabulary - 1,
        character_coverage=1.0,
        pad_id=-1,
        bos_id=-1,
        eos_id=0,
        unk_id=1,
        minloglevel=2,
        num_threads=1,
        byte_fallback=False,
    )
    pieces = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    vocabulary = {pieces.id_to_piece(index): index for index in range(pieces.get_piece_size())}
    vocabulary["<pad>"] = len(vocabulary)
    for name in ("source.spm", "target.spm"):
        (folder / name).write_bytes(model.getvalue())
    (folder / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False))
    source, target = MODEL_NAMES[recipe.source].split("-")
    tokenizer = MarianTokenizer(
        str(folder / "source.spm"), str(folder / "target.spm"), str(folder / "vocab.json"),
        source_lang=source, target_lang=target, model_max_length=256,
    )  # fmt: skip
    tokenizer.save_pretrained(folder)
    return tokenizer


def write_words(recipe: Recipe, folder: Path, count: int = 150_000) -> None:
    """List the words of the model's world: a service sends other text elsewhere, or says so."""
    seen: Counter[str] = Counter()
    for text, _, _ in islice(one_way(recipe.seed + 1, recipe.source), count):
        seen.update(words_in(text))
    listed = sorted(word for word, times in seen.items() if times >= 4)
    (folder / "words.txt").write_text("\n".join(listed) + "\n")


def build_model(recipe: Recipe, vocabulary: int) -> MarianMTModel:
    """Return an untrained Marian model; the padding token is the last of the vocabulary."""
    torch.manual_seed(recipe.seed)
    config = MarianConfig(
        vocab_size=vocabulary,
        decoder_vocab_size=vocabulary,
        d_model=recipe.hidden,
        encoder_layers=recipe.encoder_layers,
        decoder_layers=recipe.decoder_layers,
        encoder_attention_heads=recipe.heads,
        decoder_attention_heads=recipe.heads,
        encoder_ffn_dim=recipe.feed_forward,
        decoder_ffn_dim=recipe.feed_forward,
        activation_function="swish",
        max_position_embeddings=256,
        scale_embedding=True,
        dropout=0.0,
        attention_dropout=0.0,
        activation_dropout=0.0,
        init_std=0.05,
        pad_token_id=vocabulary - 1,
        eos_token_id=0,
        forced_eos_token_id=0,
        decoder_start_token_id=vocabulary - 1,
        share_encoder_decoder_embeddings=True,
        tie_word_embeddings=True,
    )
    model = MarianMTModel(config)
    generation = model.generation_config
    generation.max_length, generation.num_beams = 256, 1
    generation.bad_words_ids = [[vocabulary - 1]]
    return model


def _padded(rows: list[list[int]], pad: int) -> torch.Tensor:
    width = max(map(len, rows))
    return torch.tensor([row + [pad] * (width - len(row)) for row in rows])


def pool_batches(
    recipe: Recipe, tokenizer: MarianTokenizer, pool: int
) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Return source and target ids `(B, S)` and `(B, T)`, sentences of like length together."""
    seed = recipe.seed * 100_000 + pool
    invented = INVENTED_IN_TRAINING if pool < NAME_POOLS else recipe.invented
    sentences = one_way(seed, recipe.source, invented=invented)
    pad = tokenizer.convert_tokens_to_ids("<pad>")
    vocabulary = tokenizer.get_vocab()
    pieces = sentencepiece.SentencePieceProcessor(model_file=tokenizer.spm_files[0])

    def ids(text: str) -> list[int]:
        return [vocabulary.get(piece, 1) for piece in pieces.encode(text, out_type=str)] + [0]

    rows = sorted(
        ((ids(source), ids(target)) for source, target, _ in islice(sentences, POOL)),
        key=lambda item: len(item[0]) + len(item[1]),
    )
    groups: list[list[tuple[list[int], list[int]]]] = [[]]
    for item in rows:
        if groups[-1] and (len(groups[-1]) + 1) * sum(map(len, item)) > recipe.tokens_per_step:
            groups.append([])
        groups[-1].append(item)
    random.Random(seed).shuffle(groups)
    return [
        (_padded([item[0] for item in group], pad), _padded([item[1] for item in group], pad))
        for group in groups
    ]


def batches(
    recipe: Recipe, tokenizer: MarianTokenizer, done: Done
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield batches from where `done` stands, and move it on."""
    for end, first_pool in ((recipe.steps, 0), (recipe.steps + recipe.name_steps, NAME_POOLS)):
        if done.steps < end and done.pool < first_pool:
            done.pool, done.skip = first_pool, 0
        while done.steps < end:
            for batch in pool_batches(recipe, tokenizer, done.pool)[done.skip :]:
                done.skip += 1
                yield batch
                if done.steps >= end:
                    break
            else:
                done.pool, done.skip = done.pool + 1, 0


def learning_rate(recipe: Recipe, step: int) -> float:
    """Return the rate of a step: a cycle of `steps`, then one of `name_steps`."""
    if step < recipe.steps:
        return optim.rate(step, recipe.steps, recipe.lr)
    return optim.rate(step - recipe.steps, recipe.name_steps, recipe.name_lr, decay_from=0.3)


@torch.no_grad()
def _silence(model: MarianMTModel, pad: int) -> None:
    """Keep the padding word's embedding at zero: Marian runtimes start decoding from a zero vector."""
    model.get_input_embeddings().weight[pad] = 0.0


def _checkpoint(
    path: Path, model: MarianMTModel, optimisers: list[torch.optim.Optimizer], done: Done
) -> None:
    """Write a checkpoint in one move, so that a killed run never leaves half a file."""
    state = {
        "model": model.state_dict(),
        "optimisers": [o.state_dict() for o in optimisers],
        "done": asdict(done),
    }
    torch.save(state, path.with_suffix(".part"))
    path.with_suffix(".part").rename(path)


def _resume(path: Path, model: MarianMTModel, optimisers: list[torch.optim.Optimizer]) -> Done:
    """Go on from a checkpoint, if there is one; return how far it had come."""
    if not path.exists():
        return Done()
    state = torch.load(path)
    model.load_state_dict(state["model"])
    for optimiser, saved in zip(optimisers, state["optimisers"], strict=True):
        optimiser.load_state_dict(saved)
    return Done(**state["done"])


def step_loss(model: MarianMTModel, source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Return the mean loss of a batch. Padding, the last word, is never written; see `_silence`."""
    pad = model.config.pad_token_id
    shifted = torch.cat([torch.full_like(target[:, :1], pad), target[:, :-1]], dim=1)
    out = model(input_ids=source, attention_mask=source != pad, decoder_input_ids=shifted)
    return functional.cross_entropy(out.logits[..., :pad].flatten(0, 1), target.flatten(), ignore_index=pad)


def train(recipe: Recipe, folder: Path) -> tuple[MarianMTModel, Done]:
    """Train, or go on from the checkpoint beside `folder`, and write the model into it."""
    torch.set_num_threads(1)
    tokenizer = load_or_write_tokenizer(recipe, folder)
    write_words(recipe, folder)
    model = build_model(recipe, len(tokenizer.get_vocab()))
    pad = model.config.pad_token_id
    _silence(model, pad)
    optimisers = optim.build(model, recipe.lr)
    path = folder.parent / f"{folder.name}.pt"
    done = _resume(path, model, optimisers)
    clock = Clock(done)
    for source, target in batches(recipe, tokenizer, done):
        optim.set_rate(optimisers, learning_rate(recipe, done.steps))
        loss = step_loss(model, source, target)
        optim.step(model, optimisers, loss)
        _silence(model, pad)
        done.steps += 1
        done.loss = 0.98 * done.loss + 0.02 * loss.item() if done.loss else loss.item()
        clock.tick()
        if done.steps % 50 == 0:
            print(f"step {done.steps} loss {done.loss:.4f} cpu {done.cpu_seconds:.0f} s", flush=True)
        if clock.save_is_due():
            _checkpoint(path, model, optimisers, done)
    _checkpoint(path, model, optimisers, done)
    model.save_pretrained(folder)
    return model, done


def finish(recipe: Recipe, model: MarianMTModel, done: Done, folder: Path, out: Path) -> None:
    """Put a trained model in place, with a card of its measured scores."""
    out.mkdir(parents=True, exist_ok=True)
    for file in folder.iterdir():
        shutil.copyfile(file, out / file.name)
    measured = score(out, recipe.source, MEASURED)
    made = {**asdict(done), "parameters": sum(p.numel() for p in model.parameters())}
    write_card(out, translate_card(recipe.source, recipe, made, measured, size_of(out)))
    print(json.dumps({**made, **asdict(measured)}), flush=True)


def main() -> None:
    """Train both directions, or one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", choices=sorted(MODEL_NAMES))
    parser.add_argument("--folder", type=Path, default=WORK_FOLDER / "translate", help="of checkpoints")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "svc-translate" / "models")
    parser.add_argument("--steps", type=int, default=Recipe.steps)
    args = parser.parse_args()
    for source in [args.source] if args.source else sorted(MODEL_NAMES):
        recipe = Recipe(source, steps=args.steps)
        folder = args.folder / MODEL_NAMES[source]
        finish(recipe, *train(recipe, folder), folder, args.out / MODEL_NAMES[source])


if __name__ == "__main__":
    main()
