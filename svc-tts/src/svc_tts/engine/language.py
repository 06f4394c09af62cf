"""The language of a text, among those that have a voice (py3langid)."""

from __future__ import annotations

import threading

from py3langid.langid import MODEL_FILE, LanguageIdentifier

from svc_tts.engine.base import normal_language

MARGIN = 1.5
"""Log-odds within which a word or two tell nothing: the default, or English, is taken then."""
_AMONG = ("pt", "en", "es", "fr", "de", "it")


class LanguageDetector:
    """Loads its tables at the first use; thread-safe."""

    def __init__(self, default: str):
        self._default = normal_language(default)
        self._lock = threading.Lock()
        self._identifier: LanguageIdentifier | None = None

    def __call__(self, text: str) -> str:
        """Return a language code such as `pt-br`; the default where the text has no letters."""
        if not any(character.isalpha() for character in text):
            return self._default
        with self._lock:
            if self._identifier is None:
                self._identifier = LanguageIdentifier.from_model_file(MODEL_FILE)
                self._identifier.set_languages(list(_AMONG))
            scores = [(normal_language(code), score) for code, score in self._identifier.rank(text[:2000])]
        best = scores[0][1]
        near = [language for language, score in scores if best - score <= MARGIN]
        return next((language for language in (self._default, "en-us") if language in near), near[0])
