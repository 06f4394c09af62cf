"""A deterministic engine without weights, for tests and for looking at the service."""

from __future__ import annotations

from PIL.Image import Image

from servicekit.errors import TooBusy
from svc_vision.engine.base import Classification, Detection, Outcome, TextLine, VisionModel

_COLOURS = {"red": (255, 0, 0), "green": (0, 128, 0), "blue": (0, 0, 255), "white": (255, 255, 255)}


class FakeEngine:
    """Names the colour in the middle of the picture and draws a box that hangs over the edge.

    Args:
        full: every call is refused with TooBusy.
        classifier: whether there is a classification model of its own.
        reader: whether there is a model that answers questions and reads writing.
    """

    device = "cpu"

    def __init__(self, *, full: bool = False, classifier: bool = False, reader: bool = True) -> None:
        self._full = full
        models = [
            VisionModel("fake-captioner", "caption", license="MIT"),
            VisionModel("fake-detector", "detection", license="MIT"),
        ]
        if classifier:
            models.append(VisionModel("fake-classifier", "classification", license="MIT"))
        if reader:
            models.append(VisionModel("fake-reader", "question", license="MIT", also=("ocr",)))
        self.models = tuple(models)

    async def caption(self, model_id: str, image: Image) -> Outcome[str]:
        self._check()
        return Outcome(f"a {_colour(image)} picture", run_s=0.001)

    async def detect(self, model_id: str, image: Image, threshold: float) -> Outcome[tuple[Detection, ...]]:
        self._check()
        width, height = image.size
        found = (
            Detection(f"{_colour(image)} thing", 0.9, (-3.0, -2.0, width / 2, height + 5.0)),
            Detection("speck", 0.2, (1.0, 1.0, 2.0, 2.0)),
        )
        return Outcome(tuple(item for item in found if item.score >= threshold), run_s=0.001)

    async def classify(self, model_id: str, image: Image, top_k: int) -> Outcome[tuple[Classification, ...]]:
        self._check()
        made = (Classification(_colour(image), 0.8), Classification("other", 0.2))
        return Outcome(made[:top_k], run_s=0.001)

    async def ask(self, model_id: str, image: Image, question: str) -> Outcome[str]:
        self._check()
        return Outcome(f"{_colour(image)}, as to: {question}", run_s=0.001)

    async def read(self, model_id: str, image: Image) -> Outcome[tuple[TextLine, ...]]:
        self._check()
        width, height = image.size
        lines = (
            TextLine("OPEN", (-4.0, 0.0, width / 2, height / 2)),
            TextLine("till six", (0.0, height / 2, float(width), float(height))),
            TextLine("", (0.0, 0.0, 1.0, 1.0)),
        )
        return Outcome(lines, run_s=0.001)

    def queue(self) -> dict[str, int]:
        return {"running": 0, "waiting": 0}

    def close(self) -> None:
        return None

    def _check(self) -> None:
        if self._full:
            raise TooBusy("The queue is full. Try again in a moment.")


def _colour(image: Image) -> str:
    pixel = image.getpixel((image.width // 2, image.height // 2))
    assert isinstance(pixel, tuple)
    return min(
        _COLOURS, key=lambda name: sum((a - b) ** 2 for a, b in zip(pixel, _COLOURS[name], strict=True))
    )
