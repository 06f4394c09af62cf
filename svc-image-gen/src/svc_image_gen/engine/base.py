"""What every drawing engine does, whatever runs behind it. Knows no HTTP, no jobs, no files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol, get_args

from PIL import Image

from servicekit.models import InstalledModel, ModelSlot
from servicekit.timing import Timing

Scheduler = Literal["ddim", "dpm", "euler", "lcm"]
SCHEDULERS: tuple[str, ...] = get_args(Scheduler)


@dataclass(frozen=True)
class Recommended:
    """What a model draws best with when the caller names nothing."""

    steps: int = 20
    guidance_scale: float = 7.5


@dataclass(frozen=True)
class DrawRequest:
    """One picture. `width` and `height` are multiples of 8; `scheduler` None is the model's own."""

    prompt: str
    negative_prompt: str
    width: int
    height: int
    steps: int
    guidance_scale: float
    seed: int
    scheduler: Scheduler | None = None


@dataclass(frozen=True)
class Drawing:
    """A finished picture of the size asked for, and the (width, height) the model drew it in."""

    image: Image.Image
    native_size: tuple[int, int]


Preview = Callable[[], Image.Image | None]
"""Makes a small picture of the present state, on demand because it costs time; None where it cannot."""
OnStep = Callable[[int, Preview], None]
"""Called after each step with the number of steps done. What it raises ends the drawing."""


class Engine(Protocol):
    """One model that draws. `draw` blocks, one picture at a time."""

    model: InstalledModel
    device: str
    recommended: Recommended
    slot: ModelSlot[Any]

    def draw(self, request: DrawRequest, on_step: OnStep, timing: Timing) -> Drawing:
        """Draw a picture. The same request gives the same picture on the same machine."""

    def close(self) -> None:
        """Free the model."""
