"""The language of a text among a hundred (py3langid), for models that translate more than the four of Lingua."""

from __future__ import annotations

import threading
from typing import Any


class WideDetector:
    """Loads its tables at the first use (some ten megabytes); thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._identifier: Any = None

    def ranked(self, text: str) -> list[tuple[str, float]]:
        with self._lock:
            if self._identifier is None:
                from py3langid.langid import MODEL_FILE, LanguageIdentifier

                self._identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
            return [(str(code), float(share)) for code, share in self._identifier.rank(text[:2000])]
