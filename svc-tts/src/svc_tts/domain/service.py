"""The speech service: picks a voice, speaks clause by clause, bounds how many wait. Knows no HTTP."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from servicekit import deadline
from servicekit.errors import BadRequest, ModelNotFound
from servicekit.models import Loadable, ServiceModels
from servicekit.timing import Timing
from svc_tts.domain.clauses import clauses
from svc_tts.domain.floor import Floor
from svc_tts.domain.voices import choose
from svc_tts.engine.base import Audio, SpeechEngine, Voice
from svc_tts.errors import QueueFull, TextTooLong

Detect = Callable[[str], str]
_PAUSE_S = 0.12
PATIENCE_S = 3.0
"""Seconds after which a stream whose listener takes no more lets others speak between its clauses."""


class SpeechService:
    """Speaks with several engines; one text at a time, the others wait in a bounded queue.

    Args:
        patience_s: how long a stream keeps others waiting whose listener takes no more of it.
    """

    def __init__(
        self,
        engines: Sequence[SpeechEngine],
        models: ServiceModels,
        detect: Detect,
        *,
        max_chars: int,
        max_waiting: int,
        patience_s: float = PATIENCE_S,
    ):
        self._engines: dict[str, SpeechEngine] = {engine.model.id: engine for engine in engines}
        self.models, self._detect = models, detect
        self._max_chars, self._max_waiting = max_chars, max_waiting
        self._floor = Floor(patience_s)
        self._counting = threading.Lock()
        self._pending = 0

    def add(self, engine: SpeechEngine, slot: Loadable | None) -> None:
        """Take an engine in while the service runs."""
        self._engines = {**self._engines, engine.model.id: engine}
        self.models.add(engine.model, slot)

    def discard(self, model_id: str) -> None:
        """Let an engine go. Raises Conflict while it speaks."""
        self.models.unload(model_id)
        self.models.discard(model_id)
        self._engines = {name: engine for name, engine in self._engines.items() if name != model_id}

    def voices(self, model: str | None = None) -> list[Voice]:
        """List voices, those of the default model first."""
        if model is not None:
            return list(self._engine(model).voices())
        return [voice for engine in self._engines.values() for voice in engine.voices()]

    def check(
        self, text: str, param: str, *, model: str | None, voice: str | None, language: str | None
    ) -> Voice:
        """Check a request before any work and return its voice.

        Raises:
            BadRequest: empty text. TextTooLong, VoiceNotFound, ModelNotFound: as they say.
        """
        if not text.strip():
            raise BadRequest(f"'{param}' is empty. Send the text to be spoken.", param=param)
        if len(text) > self._max_chars:
            raise TextTooLong(len(text), self._max_chars, param)
        named = any(v.id.lower() == voice.lower() for v in self.voices()) if voice else False
        offered = self.voices() if named else self.voices(self.models.resolve(model).id)
        return choose(offered, voice, language, lambda: self._detect(text))

    def pieces(self, text: str, voice: Voice, speed: float, timing: Timing) -> Iterator[Audio]:
        """Speak clause by clause; closing the iterator stops after the current clause.

        Raises:
            QueueFull: at once, when too many wait.
            DeadlineExceeded: before the clause that the caller no longer waits for.
        """
        until = deadline.current()
        with self._place() as speaker:
            engine = self._engines[voice.model]
            for clause in clauses(text):
                with timing.measure("queue"):
                    self._floor.take(speaker)
                if until is not None:
                    until.check()
                with timing.measure("run"):
                    audio = engine.speak(clause, voice, speed)
                self._floor.hand(speaker)
                yield audio

    def speak(self, text: str, voice: Voice, speed: float, timing: Timing) -> Audio:
        """Speak the whole text, with a short pause between its clauses."""
        spoken = list(self.pieces(text, voice, speed, timing))
        rate_hz = spoken[0].sample_rate_hz
        pause = np.zeros(int(rate_hz * _PAUSE_S), np.float32)
        joined: list[np.ndarray] = []
        for audio in spoken:
            joined.extend((audio.samples, pause))
        return Audio(np.concatenate(joined[:-1]), rate_hz)

    def queue(self) -> dict[str, int]:
        """Return how many requests are `running` and `waiting`."""
        return {"running": min(self._pending, 1), "waiting": max(0, self._pending - 1)}

    def _engine(self, model: str) -> SpeechEngine:
        found = self._engines.get(self.models.resolve(model).id)
        if found is None:
            raise ModelNotFound(f"The model '{model[:60]}' does not speak.", param="model")
        return found

    @contextmanager
    def _place(self) -> Iterator[object]:
        """Count one that speaks or waits; lends what stands for it on the floor."""
        with self._counting:
            if self._pending > self._max_waiting:
                raise QueueFull(self._max_waiting)
            self._pending += 1
        speaker = object()
        try:
            yield speaker
        finally:
            self._floor.leave(speaker)
            with self._counting:
                self._pending -= 1
