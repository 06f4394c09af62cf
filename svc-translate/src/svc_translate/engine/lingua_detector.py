"""Language detection by lingua, restricted to a few languages.

Spanish and French are there so that they are not taken for Portuguese or English. About 130 MB of
n-grams are loaded at the first text (measured 2026-11, four languages).
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any


class LinguaDetector:
    """Detects one of en, pt, es, fr; deterministic and thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._detector: Any = None

    def confidences(self, text: str) -> Mapping[str, float]:
        values = self._loaded().compute_language_confidence_values(text)
        return {value.language.iso_code_639_1.name.lower(): float(value.value) for value in values}

    def _loaded(self) -> Any:
        with self._lock:
            if self._detector is None:
                from lingua import Language, LanguageDetectorBuilder

                languages = (Language.ENGLISH, Language.PORTUGUESE, Language.SPANISH, Language.FRENCH)
                self._detector = LanguageDetectorBuilder.from_languages(*languages).build()
            return self._detector
