"""What every speech engine does. Knows no HTTP, no file formats, no sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from servicekit.models import InstalledModel

Samples = NDArray[np.float32]
"""Mono sound, shape (n,), within -1 to 1."""


@dataclass(frozen=True)
class Voice:
    """One voice of one model; `language` as in BCP 47, lower case (`pt-br`)."""

    id: str
    name: str
    language: str
    model: str


@dataclass(frozen=True)
class Audio:
    """Sound as an engine makes it."""

    samples: Samples
    sample_rate_hz: int

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self.samples) / self.sample_rate_hz


class SpeechEngine(Protocol):
    """Speaks one text at a time; safe to call from several threads."""

    @property
    def model(self) -> InstalledModel:
        """What `/v1/models` says of it."""
        ...

    def voices(self) -> Sequence[Voice]:
        """List the voices; quick after the first call."""
        ...

    def speak(self, text: str, voice: Voice, speed: float) -> Audio:
        """Speak a sentence or clause. `speed` 1 is normal, 0.25 to 4.

        Raises:
            EngineBroken: the engine or its model cannot be loaded.
        """
        ...


_LANGUAGE_ALIASES = {"pt": "pt-br", "en": "en-us", "pt-pt": "pt", "en-gb": "en-gb"}


def normal_language(code: str) -> str:
    """Return a language code the way voices have it: `pt_BR` and `pt` are `pt-br`."""
    lower = code.strip().lower().replace("_", "-")
    return _LANGUAGE_ALIASES.get(lower, lower)
