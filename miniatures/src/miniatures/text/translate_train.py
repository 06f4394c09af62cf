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
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import sentencepiece
import torch
from torch.nn import functional
from transformers import MarianConfig, MarianMTModel, MarianTokenizer

from miniatures.text import optim, words
from miniatures.text.cards import size_of, translate_card, write_card
from miniatures.text.translate_data import one_way, pairs
from miniatures.text.translate_score import score, words_in
from miniatures.training import REPOSITORY, WORK_FOLDER

Done = dict[str, Any]

MODEL_NAMES = {"en": "en-pt", "pt": "pt-en"}


@dataclass(frozen=True)
class Recipe:
    """What decides the result; `minutes` counts only when `steps` is 0."""

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
    minutes: float = 25.0
    steps: int = 0


def write_tokenizer(recipe: Recipe, folder: Path) -> MarianTokenizer:
    """Train SentencePiece on both languages and write the Marian tokenizer's files."""
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


def write_words(recipe: Recipe, folder: Path, count: int = 40000) -> None:
    """List the words of the model's world: a service sends other text elsewhere, or says so."""
    seen: Counter[str] = Counter()
    for text, _, _ in islice(one_way(recipe.seed + 1, recipe.source), count):
        seen.update(words_in(text))
    listed = sorted(word for word, times in seen.items() if times >= 3)
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


def batches(
    recipe: Recipe, tokenizer: MarianTokenizer, seed: int
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield source and target ids `(B, S)` and `(B, T)`, sentences of like length together."""
    rng = random.Random(seed)
    made = one_way(seed, recipe.source)
    pad = tokenizer.convert_tokens_to_ids("<pad>")
    vocabulary = tokenizer.get_vocab()
    pieces = sentencepiece.SentencePieceProcessor(model_file=tokenizer.spm_files[0])

    def ids(text: str) -> list[int]:
        return [vocabulary.get(piece, 1) for piece in pieces.encode(text, out_type=str)] + [0]

    while True:
        pool = sorted(
            ((ids(source), ids(target)) for source, target, _ in islice(made, 4000)),
            key=lambda item: len(item[0]) + len(item[1]),
        )
        groups: list[list[tuple[list[int], list[int]]]] = [[]]
        for item in pool:
            if groups[-1] and (len(groups[-1]) + 1) * sum(map(len, item)) > recipe.tokens_per_step:
                groups.append([])
            groups[-1].append(item)
        rng.shuffle(groups)
        for group in groups:
            yield _padded([item[0] for item in group], pad), _padded([item[1] for item in group], pad)


@torch.no_grad()
def _silence(model: MarianMTModel, pad: int) -> None:
    """Keep the padding word's embedding at zero: Marian runtimes start decoding from a zero vector."""
    model.get_input_embeddings().weight[pad] = 0.0


def _checkpoint(
    path: Path, model: MarianMTModel, optimisers: list[torch.optim.Optimizer], done: Done
) -> None:
    """Write a checkpoint in one move, so that a killed run never leaves half a file."""
    state = {"model": model.state_dict(), "optimisers": [o.state_dict() for o in optimisers], "done": done}
    torch.save(state, path.with_suffix(".part"))
    path.with_suffix(".part").rename(path)


def _resume(path: Path, model: MarianMTModel, optimisers: list[torch.optim.Optimizer]) -> Done:
    """Go on from a checkpoint, if there is one; return how far it had come."""
    if not path.exists():
        return {"steps": 0, "seconds": 0.0, "loss": 0.0}
    state = torch.load(path)
    model.load_state_dict(state["model"])
    for optimiser, saved in zip(optimisers, state["optimisers"], strict=True):
        optimiser.load_state_dict(saved)
    return dict(state["done"])


def step_loss(model: MarianMTModel, source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Return the mean loss of a batch. Padding, the last word, is never written; see `_silence`."""
    pad = model.config.pad_token_id
    shifted = torch.cat([torch.full_like(target[:, :1], pad), target[:, :-1]], dim=1)
    out = model(input_ids=source, attention_mask=source != pad, decoder_input_ids=shifted)
    return functional.cross_entropy(out.logits[..., :pad].flatten(0, 1), target.flatten(), ignore_index=pad)


def train(recipe: Recipe, folder: Path) -> Done:
    """Train, or go on, and write the model; return steps, seconds, parameters and the last loss."""
    torch.set_num_threads(1)
    tokenizer = write_tokenizer(recipe, folder)
    write_words(recipe, folder)
    model = build_model(recipe, len(tokenizer.get_vocab()))
    pad = model.config.pad_token_id
    _silence(model, pad)
    optimisers = optim.build(model, recipe.lr)
    path = folder.parent / f"{folder.name}.pt"
    done = _resume(path, model, optimisers)
    done["parameters"] = sum(p.numel() for p in model.parameters())
    started, saved_at = time.monotonic() - done["seconds"], time.monotonic()
    for source, target in batches(recipe, tokenizer, recipe.seed + int(done["steps"])):
        done["seconds"] = time.monotonic() - started
        progress = done["steps"] / recipe.steps if recipe.steps else done["seconds"] / 60 / recipe.minutes
        if progress >= 1:
            break
        optim.set_rate(optimisers, optim.rate(progress, recipe.lr))
        loss = step_loss(model, source, target)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimiser in optimisers:
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        _silence(model, pad)
        done["steps"] += 1
        done["loss"] = loss.item() if done["steps"] == 1 else 0.98 * done["loss"] + 0.02 * loss.item()
        if done["steps"] % 25 == 0:
            pace = done["seconds"] / done["steps"]
            print(
                f"step {done['steps']} {progress:.3f} loss {done['loss']:.4f} {pace:.2f} s/step", flush=True
            )
        if time.monotonic() - saved_at > 120:
            _checkpoint(path, model, optimisers, done)
            saved_at = time.monotonic()
    _checkpoint(path, model, optimisers, done)
    model.save_pretrained(folder)
    return done


def finish(recipe: Recipe, made: Done, folder: Path, out: Path) -> None:
    """Put a trained model in place, with a card of its measured scores."""
    out.mkdir(parents=True, exist_ok=True)
    for file in folder.iterdir():
        shutil.copyfile(file, out / file.name)
    measured = score(out, recipe.source)
    write_card(out, translate_card(recipe.source, recipe, made, measured, size_of(out)))
    print(json.dumps({**made, **asdict(measured)}), flush=True)


def main() -> None:
    """Train both directions, or one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", choices=sorted(MODEL_NAMES))
    parser.add_argument("--folder", type=Path, default=WORK_FOLDER / "translate", help="of checkpoints")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "svc-translate" / "models")
    parser.add_argument("--minutes", type=float, default=Recipe.minutes)
    parser.add_argument("--steps", type=int, default=Recipe.steps)
    args = parser.parse_args()
    for source in [args.source] if args.source else sorted(MODEL_NAMES):
        recipe = Recipe(source, minutes=args.minutes, steps=args.steps)
        folder = args.folder / MODEL_NAMES[source]
        finish(recipe, train(recipe, folder), folder, args.out / MODEL_NAMES[source])


if __name__ == "__main__":
    main()
