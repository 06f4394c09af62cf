"""What every vision engine is.

Owns the Protocol and its dataclasses. Knows nothing about HTTP or any library but Pillow, whose RGB
images are the input.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, Literal, Protocol, TypeVar

from PIL.Image import Image

Task = Literal["caption", "detection", "classification", "question", "ocr"]
T = TypeVar("T")


@dataclass(frozen=True)
class VisionModel:
    """One model of an engine. `language` is that of its captions or labels, `also` what else it does."""

    id: str
    task: Task
    builtin: bool = False
    license: str | None = None
    size_bytes: int | None = None
    language: str = "en"
    also: tuple[Task, ...] = ()

    @property
    def tasks(self) -> tuple[Task, ...]:
        """All that it does, its main task first."""
        return (self.task, *self.also)


@dataclass(frozen=True)
class Detection:
    """A thing in a picture; `box` is left, top, right, bottom in pixels of the picture given."""

    label: str
    score: float
    box: tuple[float, float, float, float]


@dataclass(frozen=True)
class Classification:
    """A label and its share from 0 to 1."""

    label: str
    score: float


@dataclass(frozen=True)
class TextLine:
    """A line of writing in a picture and the upright box around it, in pixels of the picture given."""

    text: str
    box: tuple[float, float, float, float]


@dataclass(frozen=True)
class Outcome(Generic[T]):
    """A result and where the time went, in seconds."""

    value: T
    queue_s: float = 0.0
    load_s: float = 0.0
    run_s: float = 0.0


class Engine(Protocol):
    """Looks at RGB pictures. Safe to use from many tasks of one event loop.

    Raises (from all calls):
        TooBusy: the bounded queue is full.
    """

    device: str

    @property
    def models(self) -> tuple[VisionModel, ...]:
        """The models that can answer now, the default of each task first."""
        ...

    async def caption(self, model_id: str, image: Image) -> Outcome[str]:
        """Say in one sentence what is in the picture."""
        ...

    async def detect(self, model_id: str, image: Image, threshold: float) -> Outcome[tuple[Detection, ...]]:
        """Find things whose score is at least `threshold`."""
        ...

    async def classify(self, model_id: str, image: Image, top_k: int) -> Outcome[tuple[Classification, ...]]:
        """Give the `top_k` likeliest labels."""
        ...

    async def ask(self, model_id: str, image: Image, question: str) -> Outcome[str]:
        """Answer a question about the picture."""
        ...

    async def read(self, model_id: str, image: Image) -> Outcome[tuple[TextLine, ...]]:
        """Read the writing in the picture, in the order in which it is read."""
        ...

    def queue(self) -> dict[str, int]:
        """Count pictures that are `running` and `waiting`."""
        ...

    def close(self) -> None:
        """Stop threads and free models."""
        ...
