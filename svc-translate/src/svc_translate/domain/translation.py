"""Translates whole texts: cuts them, chooses a model for each sentence, puts them together again.

Owns the choice of the model and the limits. Knows nothing about HTTP or how an engine works.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from servicekit.errors import BadRequest, ModelNotFound
from servicekit.timing import Timing
from svc_translate.domain import languages, sentences
from svc_translate.domain.languages import Detected
from svc_translate.engine.base import Detector, Engine, Outcome, Pair, TranslationModel, WideDetector
from svc_translate.errors import EmptyText, LanguageNotDetected, PairNotAvailable, TextTooLong

AUTO = "auto"
_Key = tuple[str, Pair, str]
"""(model id, direction, sentence)"""


@dataclass(frozen=True)
class Limits:
    """What one request may hold."""

    max_chars: int = 20_000
    max_texts: int = 128


@dataclass(frozen=True)
class Translation:
    """One translated text. `models` are all that took part, the one with most sentences first."""

    text: str
    source: str
    target: str
    models: tuple[str, ...]
    detected: Detected | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Plan:
    """Which sentences of a text go to which model."""

    pair: Pair
    parts: tuple[sentences.Part, ...]
    by_model: dict[str, list[str]] = field(default_factory=dict)
    outside: int = 0


class TranslationService:
    """Answers for all engines of this machine.

    Args:
        engines: in the order of preference; built-in models are asked first whether they cover a
            sentence, general ones take the rest.
        wide: is asked about texts while a model is here that translates more than the detector knows.
    """

    def __init__(
        self,
        engines: Sequence[Engine],
        detector: Detector,
        limits: Limits | None = None,
        wide: WideDetector | None = None,
    ) -> None:
        self.engines = tuple(engines)
        self.detector, self.wide = detector, wide
        self.limits = limits or Limits()

    @property
    def models(self) -> tuple[TranslationModel, ...]:
        """What can answer now: engines take models in and let them go while the service runs."""
        return tuple(model for engine in self.engines for model in engine.models)

    @property
    def _engine_of(self) -> dict[str, Engine]:
        return {model.id: engine for engine in self.engines for model in engine.models}

    @property
    def pairs(self) -> tuple[tuple[Pair, TranslationModel], ...]:
        """Every direction that a model of few languages goes, with every such model."""
        return tuple((pair, model) for model in self.models for pair in model.pairs)

    def targets(self, source: str) -> tuple[tuple[str, TranslationModel], ...]:
        """Every language that `source` can be translated into, with every model that does it, preferred ones first."""
        going = ((to, model) for model in _preferred(self.models) for to in sorted(model.targets(source)))
        return tuple(going)

    @property
    def codes(self) -> frozenset[str]:
        """The languages that some model speaks."""
        return frozenset(code for model in self.models for code in model.languages)

    def device_of(self, model_ids: Sequence[str]) -> str:
        engine = next((self._engine_of[i] for i in model_ids if i in self._engine_of), None)
        return engine.device if engine else "cpu"

    async def detect(self, text: str) -> list[Detected]:
        """Rank the languages of a text. Raises EmptyText and TextTooLong."""
        self._check([text], "q")
        return await asyncio.to_thread(self._detect, text)

    def _detect(self, text: str) -> list[Detected]:
        ranked = languages.detect(text, self.detector)
        known = frozenset(code for model in self.models for code in model.any_of)
        found = languages.beyond(text, self.wide, known) if self.wide is not None and known else None
        return ranked if found is None else [found]

    async def translate(
        self,
        texts: Sequence[str],
        source: str,
        target: str,
        *,
        model: str | None = None,
        timing: Timing,
        param: str = "text",
    ) -> list[Translation]:
        """Translate texts, each from its own language when `source` is "auto".

        Raises:
            UnknownLanguage, PairNotAvailable, LanguageNotDetected, EmptyText, TextTooLong, ModelNotFound.
        """
        self._check(texts, param)
        to = languages.normalise(target, self.codes, param="target")
        fixed = None if source.strip().lower() == AUTO else self._known(source)
        sources = await self._sources(texts, fixed, param)
        plans = [self._plan(t, Pair(s.language, to), model) for t, s in zip(texts, sources, strict=True)]
        made, unsure = await self._run(plans, timing)
        if unsure:
            moved = [self._second(plan, unsure, model) for plan in plans]
            made.update((await self._run(moved, timing, known=made))[0])
            plans = moved
        return [
            self._result(plan, made, None if fixed else found)
            for plan, found in zip(plans, sources, strict=True)
        ]

    def _known(self, code: str) -> str:
        return languages.normalise(code, self.codes, param="source")

    async def _sources(self, texts: Sequence[str], fixed: str | None, param: str) -> list[Detected]:
        if fixed is not None:
            return [Detected(fixed, 1.0)] * len(texts)
        found = []
        for text in texts:
            ranked = await asyncio.to_thread(self._detect, text)
            if not ranked:
                raise LanguageNotDetected(
                    "The text holds no letters, so its language cannot be told. Set `source`.", param=param
                )
            found.append(ranked[0])
        return found

    def _check(self, texts: Sequence[str], param: str) -> None:
        limit = self.limits
        if not texts:
            raise EmptyText(f"`{param}` is an empty list. Send at least one text.", param=param)
        if len(texts) > limit.max_texts:
            raise BadRequest(
                f"{len(texts)} texts were sent, the limit is {limit.max_texts}. Send fewer at a time.",
                param=param,
            )
        for i, text in enumerate(texts):
            if not text.strip():
                where = param if len(texts) == 1 else f"{param}.{i}"
                raise EmptyText("The text is empty. Send at least one word.", param=where)
        chars = sum(len(text) for text in texts)
        if chars > limit.max_chars:
            raise TextTooLong(
                f"The text has {chars} characters, the limit is {limit.max_chars}. Send it in parts.",
                param=param,
            )

    def _plan(self, text: str, pair: Pair, model: str | None) -> _Plan:
        if pair.source == pair.target:
            return _Plan(pair, (sentences.Part(text, is_sentence=False),))
        candidates = self._candidates(pair, model)
        parts = sentences.split(text)
        by_model: dict[str, list[str]] = {}
        outside = 0
        for sentence in dict.fromkeys(part.text for part in parts if part.is_sentence):
            chosen, inside = self._choose(candidates, pair, sentence)
            outside += not inside
            by_model.setdefault(chosen.id, []).append(sentence)
        return _Plan(pair, parts, by_model, outside)

    def _candidates(self, pair: Pair, model: str | None) -> list[TranslationModel]:
        """Return the models that may answer: those with a small world, then those of one direction."""
        going = [m for m in self.models if m.goes(pair)]
        if model is not None and model != AUTO:
            if model not in self._engine_of:
                there = ", ".join(sorted(self._engine_of)) or "none"
                raise ModelNotFound(
                    f"The model '{model[:80]}' is not installed. Installed models: {there}.", param="model"
                )
            going = [m for m in going if m.id == model]
        if not going:
            raise PairNotAvailable(
                f"Nothing here translates {pair}{f' with {model[:80]}' if model else ''}. "
                f"Directions that are: {self._directions(model)}.",
                param="target",
            )
        return _preferred(going)

    def _directions(self, model: str | None) -> str:
        asked = [m for m in self.models if model in (None, AUTO, m.id)]
        named = sorted({str(pair) for m in asked for pair in m.pairs})
        many = sorted({code for m in asked for code in m.any_of})
        any_way = [f"any way among {', '.join(many)}"] if many else []
        return ", ".join([*named, *any_way]) or "none"

    def _choose(
        self, candidates: list[TranslationModel], pair: Pair, sentence: str
    ) -> tuple[TranslationModel, bool]:
        """Return the first model whose world holds the sentence, else the first one and False."""
        for model in candidates:
            if self._engine_of[model.id].covers(model.id, pair, sentence):
                return model, True
        return candidates[0], False

    def _second(self, plan: _Plan, unsure: frozenset[_Key], model: str | None) -> _Plan:
        """Give what a small model was unsure of to a general one; where there is none, count it outside."""
        by_model: dict[str, list[str]] = {}
        outside = plan.outside
        for model_id, found in plan.by_model.items():
            for sentence in found:
                doubtful = (model_id, plan.pair, sentence) in unsure
                others = self._candidates(plan.pair, model) if doubtful else []
                general = next((m.id for m in others if m.general and m.id != model_id), None)
                outside += doubtful and general is None and not plan.outside
                by_model.setdefault(general or model_id, []).append(sentence)
        return _Plan(plan.pair, plan.parts, by_model, outside)

    async def _run(
        self, plans: Sequence[_Plan], timing: Timing, known: Mapping[_Key, str] | None = None
    ) -> tuple[dict[_Key, str], frozenset[_Key]]:
        """Translate every sentence that is not `known` once, all models at the same time.

        Returns the translations, and those that their model is unsure of.
        """
        work: dict[tuple[str, Pair], dict[str, None]] = {}
        for plan in plans:
            for model_id, found in plan.by_model.items():
                left = [s for s in found if (model_id, plan.pair, s) not in (known or {})]
                if left:
                    work.setdefault((model_id, plan.pair), {}).update(dict.fromkeys(left))
        outcomes: list[Outcome] = await asyncio.gather(
            *(self._engine_of[m].translate(m, pair, list(found)) for (m, pair), found in work.items())
        )
        if outcomes:
            slowest = max(outcomes, key=lambda o: o.queue_s + o.load_s + o.run_s)
            timing.add("queue", slowest.queue_s)
            timing.add("load", slowest.load_s)
            timing.add("run", slowest.run_s)
        made: dict[_Key, str] = {}
        unsure: set[_Key] = set()
        for ((model_id, pair), asked), outcome in zip(work.items(), outcomes, strict=True):
            for i, (before, after) in enumerate(zip(asked, outcome.sentences, strict=True)):
                made[model_id, pair, before] = after
                if i in outcome.unsure:
                    unsure.add((model_id, pair, before))
        return made, frozenset(unsure)

    def _result(self, plan: _Plan, made: Mapping[_Key, str], detected: Detected | None) -> Translation:
        texts = {s: made[m, plan.pair, s] for m, found in plan.by_model.items() for s in found}
        ranked = tuple(sorted(plan.by_model, key=lambda m: -len(plan.by_model[m])))
        warnings: tuple[str, ...] = ()
        if plan.outside:
            warnings = (
                f"{plan.outside} sentence(s) lie outside the world that '{ranked[0]}' knows; the translation "
                "may be wrong. Install a larger model, or Apertium.",
            )
        pair = plan.pair
        return Translation(
            sentences.join(plan.parts, texts), pair.source, pair.target, ranked, detected, warnings
        )


def _preferred(models: Sequence[TranslationModel]) -> list[TranslationModel]:
    """Sort models: a small world that knows the words, then what was made for one direction, then many languages."""
    return sorted(models, key=lambda m: (m.general, bool(m.any_of)))
