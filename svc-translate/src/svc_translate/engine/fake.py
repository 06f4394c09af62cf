"""A deterministic engine without weights, for tests and for looking at the service.

Knows a few words and marks the others, so that a test can see what was translated by whom.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence

from servicekit.errors import TooBusy
from svc_translate.engine.base import Outcome, Pair, TranslationModel

_EN_PT = {
    "a": "um", "red": "vermelho", "blue": "azul", "circle": "círculo", "square": "quadrado",
    "and": "e", "on": "sobre", "hello": "olá", "background": "fundo",
}  # fmt: skip
_WORD = re.compile(r"[^\W\d_]+")


class FakeEngine:
    """Replaces word by word; unknown words become `<word>`.

    Args:
        general: False makes `covers` true only where every word is known.
        full: every translation is refused with TooBusy.
        hold: translations wait until the event is set.
        unsure_of: translations of these sentences are given little chance.
    """

    device = "cpu"

    def __init__(
        self,
        model_id: str = "fake",
        *,
        general: bool = True,
        builtin: bool = False,
        full: bool = False,
        hold: asyncio.Event | None = None,
        unsure_of: frozenset[str] = frozenset(),
    ) -> None:
        self._unsure_of = unsure_of
        pairs = (Pair("en", "pt"), Pair("pt", "en"))
        self.models = (TranslationModel(model_id, pairs, general=general, builtin=builtin, license="MIT"),)
        self.calls: list[tuple[str, Pair, tuple[str, ...]]] = []
        self._words = {"en": _EN_PT, "pt": {word: key for key, word in _EN_PT.items()}}
        self._full = full
        self._hold = hold

    def covers(self, model_id: str, pair: Pair, sentence: str) -> bool:
        known = self._words[pair.source]
        return self.models[0].general or all(w in known for w in _WORD.findall(sentence.lower()))

    async def translate(self, model_id: str, pair: Pair, sentences: Sequence[str]) -> Outcome:
        if self._full:
            raise TooBusy("The queue is full. Try again in a moment.")
        if self._hold is not None:
            await self._hold.wait()
        self.calls.append((model_id, pair, tuple(sentences)))
        made = tuple(self._say(s, self._words[pair.source]) for s in sentences)
        unsure = frozenset(i for i, s in enumerate(sentences) if s in self._unsure_of)
        return Outcome(made, unsure, run_s=0.001)

    def queue(self) -> dict[str, int]:
        return {"running": 0, "waiting": 0}

    def close(self) -> None:
        return None

    @staticmethod
    def _say(sentence: str, known: Mapping[str, str]) -> str:
        return _WORD.sub(lambda match: known.get(match[0].lower(), f"<{match[0]}>"), sentence)


class FakeDetector:
    """Knows nothing: every language is as likely, so that the hints decide."""

    def confidences(self, text: str) -> Mapping[str, float]:
        return {"en": 0.25, "pt": 0.25, "es": 0.25, "fr": 0.25}
