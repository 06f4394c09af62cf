"""The built-in voices: formant synthesis of espeak-ng, any text, many languages."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from servicekit.models import InstalledModel
from svc_tts.engine.base import Audio, Voice
from svc_tts.engine.espeak_library import EspeakLibrary

MODEL_ID = "espeak-ng"
_VARIANTS = {"f2": "female 2", "f4": "female 4", "m3": "male 3", "m7": "male 7"}
_WITH_VARIANTS = ("pt-br", "en-us")


class EspeakEngine:
    """Speaks with the library itself, which is loaded at the first use."""

    model = InstalledModel(
        MODEL_ID, "speech", owned_by="espeak-ng", builtin=True, license="GPL-3.0",
        languages=("pt-br", "en-us", "es", "fr", "de", "it"),
    )  # fmt: skip

    def __init__(self, library: EspeakLibrary | None = None) -> None:
        self._library = library or EspeakLibrary()
        self._voices: tuple[Voice, ...] = ()

    def voices(self) -> Sequence[Voice]:
        if not self._voices:
            self._voices = tuple(_with_timbres(self._library))
        return self._voices

    def speak(self, text: str, voice: Voice, speed: float) -> Audio:
        sound, rate_hz = self._library.speak(text, voice.id, speed)
        return Audio(sound.astype(np.float32) / 32768.0, rate_hz)


def _with_timbres(library: EspeakLibrary) -> list[Voice]:
    """Return one voice a language, and a few timbres for the main ones."""
    found = {v.language: Voice(v.language, v.name, v.language, MODEL_ID) for v in library.voices()}
    for language in _WITH_VARIANTS:
        if language in found:
            for variant, name in _VARIANTS.items():
                voice_id = f"{language}+{variant}"
                found[voice_id] = Voice(voice_id, f"{found[language].name}, {name}", language, MODEL_ID)
    return sorted(found.values(), key=lambda v: (v.language not in _WITH_VARIANTS, v.language, v.id))
