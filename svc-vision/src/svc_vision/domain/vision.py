"""Looks at a picture with the right model.

Owns the choice of the model, the clipping of boxes, and classes made from detections. Knows nothing
about HTTP or how an engine works.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from PIL.Image import Image

from servicekit.errors import ModelNotFound
from servicekit.timing import Timing
from svc_vision.engine.base import Classification, Detection, Engine, Outcome, Task, VisionModel
from svc_vision.errors import NoModel, WrongTask

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


class VisionService:
    """Answers for the engine of this machine."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

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
        clipped = (clip(item, image.width, image.height) for item in found)
        return Detections(tuple(item for item in clipped if item is not None), chosen.id)

    async def classify(self, image: Image, *, model: str | None, top_k: int, timing: Timing) -> Classes:
        """Name what the picture shows; without a classifier, by what the detector finds.

        Raises:
            ModelNotFound, WrongTask, NoModel, TooBusy.
        """
        own = [m for m in self.engine.models if m.task == "classification"]
        named = next((m for m in self.engine.models if m.id == model), None)
        if (not own and not model) or (named is not None and named.task == "detection"):
            made = await self.detect(image, model=model, threshold=MIN_CLASS_SCORE, timing=timing)
            return Classes(classes_of(made.found)[:top_k], made.model, "detection")
        chosen = self.model_for("classification", model)
        return Classes(_timed(await self.engine.classify(chosen.id, image, top_k), timing), chosen.id)

    def model_for(self, task: Task, name: str | None) -> VisionModel:
        """Return the model that does `task`: the one named, else the first there is."""
        models = self.engine.models
        if not name:
            found = next((m for m in models if m.task == task), None)
            if found is None:
                raise NoModel(f"No model for {task} is installed. Install one, or set its folder.")
            return found
        named = next((m for m in models if m.id == name), None)
        fitting = ", ".join(sorted(m.id for m in models if m.task == task)) or "none"
        if named is None:
            raise ModelNotFound(
                f"The model '{name[:80]}' is not installed. Models for {task}: {fitting}.", param="model"
            )
        if named.task != task:
            raise WrongTask(
                f"The model '{named.id}' does {named.task}, not {task}. Models for {task}: {fitting}.",
                param="model",
            )
        return named


def clip(item: Detection, width: int, height: int) -> Detection | None:
    """Return the detection with its box inside the picture; None if nothing of it is."""
    left, top, right, bottom = item.box
    x0, x1 = (min(max(x, 0.0), float(width)) for x in (left, right))
    y0, y1 = (min(max(y, 0.0), float(height)) for y in (top, bottom))
    if x1 <= x0 or y1 <= y0:
        return None
    return Detection(item.label, item.score, (round(x0, 2), round(y0, 2), round(x1, 2), round(y1, 2)))


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
