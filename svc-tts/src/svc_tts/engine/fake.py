"""A voice without a model: a tone as long as the text. For tests."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np

from servicekit.models import InstalledModel
from svc_tts.engine.base import Audio, Voice


class FakeEngine:
    """Ten milliseconds of a 440 Hz tone for each character; `gate` may hold it back."""

    model = InstalledModel("fake-speech", "speech", builtin=True, license="MIT", languages=("pt-br", "en-us"))

    def __init__(self, gate: threading.Event | None = None):
        self.spoken: list[tuple[str, str, float]] = []
        self._gate = gate

    def voices(self) -> Sequence[Voice]:
        return [Voice(f"{lang}", lang, lang, "fake-speech") for lang in ("pt-br", "en-us")]

    def speak(self, text: str, voice: Voice, speed: float) -> Audio:
        if self._gate is not None:
            self._gate.wait(10)
        self.spoken.append((text, voice.id, speed))
        length = int(len(text) * 160 / speed)
        tone = np.sin(np.arange(length) * 2 * np.pi * 440 / 16_000)
        return Audio(tone.astype(np.float32) * 0.5, 16_000)
