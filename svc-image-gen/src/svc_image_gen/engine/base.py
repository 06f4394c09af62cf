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
Decoder = Literal["full", "small"]
MOST_STEPS = 100
MOST_GUIDANCE = 30
GUIDED_ABOVE = 1
"""With a guidance up to this a pipeline asks its model once a step instead of twice (with the prompt and without)."""


@dataclass(frozen=True)
class Recommended:
    """What a model draws best with when the caller names nothing.

    `usual_steps` are the fewest and the most it draws well with; others are taken too.
    """

    steps: int = 20
    guidance_scale: float = 7.5
    size: tuple[int, int] = (512, 512)
    usual_steps: tuple[int, int] = (10, 50)


@dataclass(frozen=True)
class Limits:
    """What a model cannot be asked for."""

    most_steps: int = MOST_STEPS
    schedulers: tuple[str, ...] = SCHEDULERS
    negative_prompt: bool = True
    """Whether it can be told what to avoid. One that can still needs a guidance above 1 to heed it."""


def options_of(recommended: Recommended, limits: Limits) -> dict[str, dict[str, Any]]:
    """Tell clients what a request may choose, by its fields; a field that is not here has no effect on the model."""
    width, height = recommended.size
    options: dict[str, dict[str, Any]] = {
        "steps": {
            "default": recommended.steps,
            "minimum": 1,
            "maximum": limits.most_steps,
            "usual": list(recommended.usual_steps),
        },
        "guidance_scale": {
            "default": recommended.guidance_scale,
            "minimum": 0,
            "maximum": MOST_GUIDANCE,
        },
        "size": {"default": f"{width}x{height}"},
        "scheduler": {"choices": list(limits.schedulers)},
    }
    if limits.negative_prompt:
        # Without guidance nothing is compared with the prompt, so there is nothing to keep away from.
        options["negative_prompt"] = {"needs_guidance_above": GUIDED_ABOVE}
    return options


def heeds_negative_prompt(limits: Limits, guidance_scale: float) -> bool:
    """Tell whether a negative prompt changes the picture."""
    return limits.negative_prompt and guidance_scale > GUIDED_ABOVE


@dataclass(frozen=True)
class Source:
    """The picture that a drawing begins from: RGB, of the size that is drawn.

    `strength` in (0, 1] is the share of the steps that are drawn anew. `mask` is of the same size, in greys: what is
    white may change, what is black stays; None: all may change.
    """

    image: Image.Image
    strength: float
    mask: Image.Image | None = None


@dataclass(frozen=True)
class DrawRequest:
    """One picture. `width` and `height` are multiples of 8; `scheduler` None is the model's own.

    `decoder` small: the last step's latents become a picture in the small decoder that is installed beside the model;
    a picture that begins from a `source` is always finished by the model's own.
    """

    prompt: str
    negative_prompt: str
    width: int
    height: int
    steps: int
    guidance_scale: float
    seed: int
    scheduler: Scheduler | None = None
    decoder: Decoder = "full"
    source: Source | None = None


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
    limits: Limits
    decoder: Decoder
    """What makes the last picture where the caller names nothing; full where no small decoder is installed."""
    slot: ModelSlot[Any]

    def decoders(self) -> tuple[Decoder, ...]:
        """Tell what could make the last picture now."""

    def draw(self, request: DrawRequest, on_step: OnStep, timing: Timing) -> Drawing:
        """Draw a picture. The same request gives the same picture on the same machine.

        Raises:
            ModelNotFound: it asks for the small decoder, which has been removed since.
        """

    def close(self) -> None:
        """Free the model."""
