"""Looks at a picture with the right model.

Owns the choice of the model, the clipping of boxes, classes made from detections, and what a question may be. Knows nothing
about HTTP or how an engine works.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from PIL.Image import Image

from servicekit.errors import ModelNotFound, NoModel, WrongTask
from servicekit.timing import Timing
from svc_vision.engine.base import (
    Classification,
    Detection,
    Engine,
    Outcome,
    Task,
    TextLine,
    VisionModel,
)
from svc_vision.errors import MissingQuestion

T = TypeVar("T")
MIN_CLASS_SCORE = 0.1
"""Least score of a detection that counts as a class."""


@dataclass(frozen=True)
class Caption:
    """A sentence and the language it is in."""

    text: str
    language: str
    model: str


@dataclass(frozen=True)
class Detections:
    """Things found, likeliest first; boxes lie inside the picture."""

    found: tuple[Detection, ...]
    model: str


@dataclass(frozen=True)
class Classes:
    """Labels, likeliest first; `derived_from` is the task whose model gave them, if another."""

    found: tuple[Classification, ...]
    model: str
    derived_from: Task | None = None


@dataclass(frozen=True)
class Answer:
    """What a model says to a question."""

    text: str
    question: str
    model: str


@dataclass(frozen=True)
class Writing:
    """The lines read in a picture, in the order in which they are read; boxes lie inside it."""

    lines: tuple[TextLine, ...]
    model: str

    @property
    def text(self) -> str:
        """All lines below each other."""
        return "\n".join(line.text for line in self.lines)


class VisionService:
    """Answers for the engine of this machine.

    Args:
        suggest: names a model that could be installed for a task, for the message where there is none.
    """

    def __init__(self, engine: Engine, suggest: Callable[[Task], str | None] = lambda _: None) -> None:
        self.engine, self._suggest = engine, suggest

    @property
    def device(self) -> str:
        return self.engine.device

    async def caption(self, image: Image, *, model: str | None, timing: Timing) -> Caption:
        """Say what is in the picture. Raises ModelNotFound, WrongTask, NoModel, TooBusy."""
        chosen = self.model_for("caption", model)
        text = _timed(await self.engine.caption(chosen.id, image), timing)
        return Caption(text, chosen.language, chosen.id)

    async def detect(
        self, image: Image, *, model: str | None, threshold: float, timing: Timing
    ) -> Detections:
        """Find things. Raises ModelNotFound, WrongTask, NoModel, TooBusy."""
        chosen = self.model_for("detection", model)
        found = _timed(await self.engine.detect(chosen.id, image, threshold), timing)
        inside = ((item, clip(item.box, image.width, image.height)) for item in found)
        return Detections(tuple(replace(item, box=box) for item, box in inside if box is not None), chosen.id)

    async def classify(self, image: Image, *, model: str | None, top_k: int, timing: Timing) -> Classes:
        """Name what the picture shows; without a classifier, by what the detector finds.

        Raises:
            ModelNotFound, WrongTask, NoModel, TooBusy.
        """
        own = [m for m in self.engine.models if "classification" in m.tasks]
        named = next((m for m in self.engine.models if m.id == model), None)
        if (not own and not model) or (named is not None and "detection" in named.tasks):
            made = await self.detect(image, model=model, threshold=MIN_CLASS_SCORE, timing=timing)
            return Classes(classes_of(made.found)[:top_k], made.model, "detection")
        chosen = self.model_for("classification", model)
        return Classes(_timed(await self.engine.classify(chosen.id, image, top_k), timing), chosen.id)

    async def ask(self, image: Image, question: str | None, *, model: str | None, timing: Timing) -> Answer:
        """Answer a question about the picture.

        Raises:
            MissingQuestion: there is none.
            ModelNotFound, WrongTask, NoModel, TooBusy.
        """
        asked = (question or "").strip()
        if not asked:
            raise MissingQuestion(
                "The field 'question' is missing or empty. Ask something, such as 'What colour is the car?'.",
                param="question",
            )
        chosen = self.model_for("question", model)
        return Answer(_timed(await self.engine.ask(chosen.id, image, asked), timing), asked, chosen.id)

    async def read(self, image: Image, *, model: str | None, timing: Timing) -> Writing:
        """Read the writing in the picture. Raises ModelNotFound, WrongTask, NoModel, TooBusy."""
        chosen = self.model_for("ocr", model)
        lines = _timed(await self.engine.read(chosen.id, image), timing)
        inside = ((line, clip(line.box, image.width, image.height)) for line in lines if line.text)
        return Writing(tuple(replace(line, box=box) for line, box in inside if box is not None), chosen.id)

    def model_for(self, task: Task, name: str | None) -> VisionModel:
        """Return the model that does `task`: the one named, else one that was installed, else a built-in one.

        Whoever installs a model wants it used: the built-in ones know coloured shapes only. Of several the one made
        for the task goes before those that do it beside another.
        """
        models = self.engine.models
        if not name:
            found = sorted((m for m in models if task in m.tasks), key=lambda m: (m.builtin, m.task != task))
            if not found:
                offer = self._suggest(task)
                which = f"Install '{offer}'" if offer else "Install one of GET /v1/catalogue"
                raise NoModel(
                    f"No model for {task} is installed. {which}: POST /v1/models/install, or the page's tab Models."
                )
            return found[0]
        named = next((m for m in models if m.id == name), None)
        fitting = ", ".join(sorted(m.id for m in models if task in m.tasks)) or "none"
        if named is None:
            raise ModelNotFound(
                f"The model '{name[:80]}' is not installed. Models for {task}: {fitting}.", param="model"
            )
        if task not in named.tasks:
            raise WrongTask(
                f"The model '{named.id}' does {', '.join(named.tasks)}, not {task}. Models for {task}: {fitting}.",
                param="model",
            )
        return named


Box = tuple[float, float, float, float]


def clip(box: Box, width: int, height: int) -> Box | None:
    """Return the part of a box that lies inside the picture; None if there is none."""
    left, top, right, bottom = box
    x0, x1 = (min(max(x, 0.0), float(width)) for x in (left, right))
    y0, y1 = (min(max(y, 0.0), float(height)) for y in (top, bottom))
    if x1 <= x0 or y1 <= y0:
        return None
    return round(x0, 2), round(y0, 2), round(x1, 2), round(y1, 2)


def classes_of(found: tuple[Detection, ...]) -> tuple[Classification, ...]:
    """Return each label that was found with its best score, the likeliest first."""
    best: dict[str, float] = {}
    for item in found:
        best[item.label] = max(best.get(item.label, 0.0), item.score)
    ranked = sorted(best.items(), key=lambda entry: (-entry[1], entry[0]))
    return tuple(Classification(label, score) for label, score in ranked)


def _timed(outcome: Outcome[T], timing: Timing) -> T:
    timing.add("queue", outcome.queue_s)
    timing.add("load", outcome.load_s)
    timing.add("run", outcome.run_s)
    return outcome.value
