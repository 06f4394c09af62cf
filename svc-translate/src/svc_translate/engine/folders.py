"""A Marian model as it lies on disk: a transformers folder with SentencePiece files.

Owns the file names, the words a built-in model knows, and the hash that names converted copies.
Knows nothing about how a model is run.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path

from svc_translate.engine.base import Pair

LEAST_SCORE = -0.02
"""Measured 2026-11-26 on 1,000 held-out sentences each way (`tools/least_score.py`): two in a thousand right
translations score lower at most, nine in ten wrong ones, and three in four of known words in random order."""
_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")


@dataclass(frozen=True)
class MarianFolder:
    """One installed Marian model.

    `label` is the target-language token that multilingual models want first, such as `>>pob<<`.
    `words` are the lower-case words of a built-in model's world; None means any text. A built-in
    model is unsure of a translation whose mean log probability is below `least_score`.
    """

    id: str
    pair: Pair
    path: Path
    builtin: bool = False
    label: str | None = None
    license: str | None = None
    words: frozenset[str] | None = field(default=None, repr=False)
    least_score: float = LEAST_SCORE

    @property
    def complete(self) -> bool:
        """Whether the files that every engine needs are there."""
        names = ("config.json", "model.safetensors", "source.spm", "target.spm", "vocab.json")
        return all((self.path / name).is_file() for name in names)

    @property
    def size_bytes(self) -> int:
        return sum(file.stat().st_size for file in self.path.glob("*") if file.is_file())

    def covers(self, sentence: str) -> bool:
        """Say whether every word of the sentence belongs to the model's world."""
        return self.words is None or all(word in self.words for word in words_of(sentence))

    def weights_hash(self) -> str:
        """Hash weights and vocabulary, so that a converted copy of older weights is never used."""
        digest = hashlib.sha256()
        for name in ("config.json", "vocab.json", "model.safetensors"):
            with (self.path / name).open("rb") as file:
                while block := file.read(1 << 20):
                    digest.update(block)
        return digest.hexdigest()[:16]


def words_of(sentence: str) -> list[str]:
    """Return the words and numbers of a sentence in lower case."""
    return _WORD.findall(sentence.lower().replace("’", "'"))


def read_words(path: Path) -> frozenset[str] | None:
    """Read a word list, one word a line; None if there is no such file."""
    if not path.is_file():
        return None
    lines = path.read_text(encoding="utf-8").lower().splitlines()
    return frozenset(line.strip() for line in lines if line.strip() and not line.startswith("#"))
