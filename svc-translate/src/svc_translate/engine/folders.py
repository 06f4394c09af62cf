"""Translation models as they lie on disk: folders of transformers, or of CTranslate2, with SentencePiece files.

Owns the file names, the words a built-in model knows, and the names of converted copies. Knows nothing about how a
model is run.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from svc_translate.engine.base import Pair, TranslationModel
from svc_translate.engine.vocabulary import PIECES, SHARED

LEAST_SCORE = -0.02
"""Measured 2026-11-26 on 1,000 held-out sentences each way (`tools/least_score.py`): two in a thousand right
translations score lower at most, nine in ten wrong ones, and three in four of known words in random order."""
WEIGHTS = "model.bin"
"""The weights of a folder in CTranslate2's format."""
_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")


class Folder(Protocol):
    """One installed model."""

    @property
    def id(self) -> str: ...
    @property
    def path(self) -> Path: ...
    @property
    def words(self) -> frozenset[str] | None: ...
    @property
    def least_score(self) -> float: ...
    @property
    def complete(self) -> bool:
        """Whether the files that every engine needs are there."""
        ...

    def covers(self, sentence: str) -> bool:
        """Say whether every word of the sentence belongs to the model's world."""
        ...

    def described(self) -> TranslationModel:
        """Return what the service tells about it."""
        ...


@dataclass(frozen=True)
class MarianFolder:
    """A Marian model: one direction, or with `sources` from several languages into one.

    `label` is the target-language token that models of several targets want first, such as `>>pob<<`.
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
    sources: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        return _has(self.path, "source.spm", "target.spm") and (
            is_converted(self.path) or _has(self.path, "config.json", "model.safetensors", "vocab.json")
        )

    def covers(self, sentence: str) -> bool:
        return self.words is None or all(word in self.words for word in words_of(sentence))

    def described(self) -> TranslationModel:
        pairs = tuple(Pair(source, self.pair.target) for source in self.sources) or (self.pair,)
        return TranslationModel(
            self.id, pairs, general=self.words is None, builtin=self.builtin, license=self.license,
            size_bytes=_size(self.path), owned_by="oficina" if self.builtin else "local",
        )  # fmt: skip


@dataclass(frozen=True)
class ManyFolder:
    """A model of many languages, M2M100 or NLLB: any of them into any other.

    `tokens` are the model's language tokens by their codes (`pt`: `por_Latn`).
    """

    id: str
    tokens: Mapping[str, str] = field(repr=False)
    path: Path
    license: str | None = None
    words: frozenset[str] | None = None
    least_score: float = LEAST_SCORE

    @property
    def complete(self) -> bool:
        return _has(self.path, PIECES) and bool(self.tokens)

    def covers(self, sentence: str) -> bool:
        return True

    def described(self) -> TranslationModel:
        return TranslationModel(
            self.id, (), any_of=frozenset(self.tokens), license=self.license, size_bytes=_size(self.path),
            owned_by="local",
        )  # fmt: skip


def is_converted(path: Path) -> bool:
    """Say whether a folder is in CTranslate2's format already."""
    return _has(path, WEIGHTS) and any(_has(path, name) for name in SHARED)


def copy_name(path: Path) -> str:
    """Return a name for a folder's converted copy, so that a copy of older weights is never used.

    Small models are hashed; of large ones, whose files never change once they are installed, size and date are.
    """
    digest = hashlib.sha256()
    for file in sorted([*path.glob("*.json"), *path.glob("*.safetensors"), *path.glob("*.model")]):
        stat = file.stat()
        if stat.st_size > _HASHED_BYTES:
            digest.update(f"{file.name} {stat.st_size} {stat.st_mtime_ns}".encode())
            continue
        with file.open("rb") as content:
            while block := content.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()[:16]


_HASHED_BYTES = 512 * 2**20


def words_of(sentence: str) -> list[str]:
    """Return the words and numbers of a sentence in lower case."""
    return _WORD.findall(sentence.lower().replace("’", "'"))


def read_words(path: Path) -> frozenset[str] | None:
    """Read a word list, one word a line; None if there is no such file."""
    if not path.is_file():
        return None
    lines = path.read_text(encoding="utf-8").lower().splitlines()
    return frozenset(line.strip() for line in lines if line.strip() and not line.startswith("#"))


def _has(path: Path, *names: str) -> bool:
    return all((path / name).is_file() for name in names)


def _size(path: Path) -> int:
    return sum(file.stat().st_size for file in path.glob("*") if file.is_file())
