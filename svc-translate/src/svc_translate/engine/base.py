"""What every translation engine and language detector is.

Owns the Protocols and their dataclasses. Knows nothing about texts longer than a sentence, HTTP or
any library.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, order=True)
class Pair:
    """A direction of translation, in ISO 639-1 codes."""

    source: str
    target: str

    def __str__(self) -> str:
        return f"{self.source}-{self.target}"


@dataclass(frozen=True)
class TranslationModel:
    """One model of an engine: it goes the directions of `pairs`, and from each language of `any_of` into each other one.

    `general` models take any text; others only what `covers` admits.
    """

    id: str
    pairs: tuple[Pair, ...]
    any_of: frozenset[str] = frozenset()
    general: bool = True
    builtin: bool = False
    license: str | None = None
    size_bytes: int | None = None
    owned_by: str = "oficina"

    @property
    def languages(self) -> tuple[str, ...]:
        return tuple(
            sorted({code for pair in self.pairs for code in (pair.source, pair.target)} | self.any_of)
        )

    def goes(self, pair: Pair) -> bool:
        """Say whether the model goes a direction."""
        return pair in self.pairs or (
            pair.source != pair.target and {pair.source, pair.target} <= self.any_of
        )

    def targets(self, source: str) -> frozenset[str]:
        """Return the languages that it translates `source` into."""
        named = frozenset(pair.target for pair in self.pairs if pair.source == source)
        return named | (self.any_of - {source} if source in self.any_of else frozenset())


@dataclass(frozen=True)
class Outcome:
    """Translations in the order of the sentences, and where the time went, in seconds.

    `unsure` holds the places of translations that the model itself gives little chance.
    """

    sentences: tuple[str, ...]
    unsure: frozenset[int] = frozenset()
    queue_s: float = 0.0
    load_s: float = 0.0
    run_s: float = 0.0


class Engine(Protocol):
    """Translates sentences. Safe to use from many tasks of one event loop."""

    device: str

    @property
    def models(self) -> tuple[TranslationModel, ...]:
        """The models that can answer now, the preferred one first."""
        ...

    def covers(self, model_id: str, pair: Pair, sentence: str) -> bool:
        """Say whether the sentence lies in the world the model knows; cheap, no model is loaded."""
        ...

    async def translate(self, model_id: str, pair: Pair, sentences: Sequence[str]) -> Outcome:
        """Translate a batch.

        Raises:
            TooBusy: the bounded queue is full.
            DeadlineExceeded: the engine took longer than its time-out.
        """
        ...

    def queue(self) -> dict[str, int]:
        """Count sentences that are `running` and `waiting`."""
        ...

    def close(self) -> None:
        """Stop threads and free models."""
        ...


class Detector(Protocol):
    """Guesses the language of a text."""

    def confidences(self, text: str) -> Mapping[str, float]:
        """Give a share from 0 to 1 for each language it knows; deterministic; blocks."""
        ...


class WideDetector(Protocol):
    """Guesses among many more languages, less surely in short texts."""

    def ranked(self, text: str) -> list[tuple[str, float]]:
        """Give languages (ISO 639-1) with their shares, the likeliest first; deterministic; blocks."""
        ...
