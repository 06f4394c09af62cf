"""The chat model's byte-level BPE tokenizer: how it splits, and how it is trained.

The splitting pattern is Qwen2's, because llama.cpp knows it by name (`tokenizer.ggml.pre = "qwen2"`):
single digits, a leading space kept with its word.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from miniatures.text import words
from miniatures.text.chat_format import END, PAD, SPECIAL_TOKENS, START, render
from miniatures.text.chat_world import dialogues

PRE = "qwen2"
PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
CONTROL_TOKENS = (PAD, START, END)


def _corpus(seed: int, count: int) -> Iterator[str]:
    for dialogue in islice(dialogues(seed), count):
        yield render(dialogue)
    rng = random.Random(seed)
    for _ in range(6):
        for language in ("en", "pt"):
            listed = list(words.common_words(language, 3000))
            rng.shuffle(listed)
            yield " " + " ".join(listed)


def new_tokenizer(model: models.BPE) -> Tokenizer:
    """Return a tokenizer that splits and joins as this one does; an empty model has to be trained."""
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PATTERN), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    if tokenizer.get_vocab_size():
        tokenizer.add_special_tokens([token for token in _added() if token.special])
        tokenizer.add_tokens([token for token in _added() if not token.special])
    return tokenizer


def _added() -> list[AddedToken]:
    # The tags of tool calls stay visible in decoded text; the marks of turns do not.
    return [AddedToken(token, special=token in CONTROL_TOKENS, normalized=False) for token in SPECIAL_TOKENS]


def id_of(tokenizer: Tokenizer, token: str) -> int:
    """Return a token's id. Raises KeyError: the tokenizer has no such token."""
    found: int | None = tokenizer.token_to_id(token)
    if found is None:
        raise KeyError(token)
    return found


def train_tokenizer(vocabulary: int, seed: int = 11, count: int = 12000) -> Tokenizer:
    """Train on generated dialogues and on the commonest words of both languages."""
    tokenizer = new_tokenizer(models.BPE())
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=_added(),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_corpus(seed, count), trainer)
    return tokenizer


def load_or_train(path: Path, vocabulary: int) -> Tokenizer:
    """Return the tokenizer saved at `path`, training and saving it first where it is missing."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        train_tokenizer(vocabulary).save(str(path))
    return Tokenizer.from_file(str(path))
