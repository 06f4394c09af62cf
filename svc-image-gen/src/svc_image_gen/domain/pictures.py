"""What may be asked of a picture: size, steps, how many. Knows no HTTP and no model."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from dataclasses import asdict, dataclass
from typing import Any

from svc_image_gen.engine.base import (
    MOST_STEPS,
    Decoder,
    DrawRequest,
    Engine,
    Limits,
    Recommended,
    Scheduler,
)
from svc_image_gen.engine.pipeline_kind import most_steps
from svc_image_gen.errors import DecoderNotInstalled, InvalidSize, SchedulerDoesNotFit, TooManySteps

MIN_SIDE, MAX_SIDE, SIDE_STEP = 64, 1024, 8
MAX_STEPS = MOST_STEPS
MAX_PICTURES = 4
MAX_SEED = 2**32 - 1
#: OpenAI's `quality` as a factor on the recommended steps.
QUALITY = {"low": 0.5, "medium": 1.0, "standard": 1.0, "auto": 1.0, "high": 1.5, "hd": 1.5}


@dataclass(frozen=True)
class PictureSpec:
    """What a job draws: `n` pictures of one prompt. Everything is decided: drawing it again repeats it.

    `ignored` names what was sent and has no effect on this model, such as a negative prompt without guidance.
    """

    model: str
    prompt: str
    negative_prompt: str
    width: int
    height: int
    steps: int
    guidance_scale: float
    seed: int
    scheduler: Scheduler | None = None
    n: int = 1
    decoder: Decoder = "full"
    ignored: tuple[str, ...] = ()
    source: str | None = None
    """Id of the kept picture that it begins from; it has the size that is drawn."""
    mask: str | None = None
    """Id of the kept mask."""
    strength: float = 1.0

    def request(self, index: int) -> DrawRequest:
        """Give the request of picture number `index`, whose seed is so much higher."""
        return DrawRequest(
            prompt=self.prompt,
            negative_prompt=self.negative_prompt,
            width=self.width,
            height=self.height,
            steps=self.steps,
            guidance_scale=self.guidance_scale,
            seed=(self.seed + index) % (MAX_SEED + 1),
            scheduler=self.scheduler,
            decoder=self.decoder,
        )

    def as_payload(self) -> dict[str, Any]:
        return asdict(self)

    def parameters(self) -> dict[str, Any]:
        """Give what a picture's metadata tell, without the prompt."""
        return {
            "negative_prompt": self.negative_prompt,
            "width": self.width,
            "height": self.height,
            "num_inference_steps": self.steps,
            "guidance_scale": self.guidance_scale,
            "seed": self.seed,
            "scheduler": self.scheduler,
            "decoder": self.decoder,
            "ignored": list(self.ignored),
            **({"source": f"/media/{self.source}", "strength": self.strength} if self.source else {}),
        }


def from_payload(payload: dict[str, Any]) -> PictureSpec:
    return PictureSpec(**payload)


def parse_size(size: str | None, usual: tuple[int, int]) -> tuple[int, int]:
    """Read OpenAI's `size`, such as `512x512`; None and `auto` mean the model's `usual` one."""
    if size is None or size == "auto":
        return usual
    match = re.fullmatch(r"([0-9]{1,5})x([0-9]{1,5})", size)
    if match is None:
        raise InvalidSize(f"The size '{size[:40]}' cannot be read. Write it as '512x512'.", param="size")
    return checked_size(int(match[1]), int(match[2]), "size", "size")


def checked_size(width: int, height: int, width_param: str, height_param: str) -> tuple[int, int]:
    """Return the size if it can be drawn; raises InvalidSize naming the field that is wrong."""
    for value, param in ((width, width_param), (height, height_param)):
        if not MIN_SIDE <= value <= MAX_SIDE or value % SIDE_STEP:
            raise InvalidSize(
                f"A side of {value} pixels cannot be drawn. "
                f"Use a multiple of {SIDE_STEP} from {MIN_SIDE} to {MAX_SIDE}.",
                param=param,
            )
    return width, height


def natural_size(width: int, height: int) -> tuple[int, int]:
    """Give the size nearest to a picture's own that can be drawn."""
    scale = min(1.0, MAX_SIDE / max(width, height))

    def side(pixels: int) -> int:
        return max(MIN_SIDE, min(MAX_SIDE, round(pixels * scale / SIDE_STEP) * SIDE_STEP))

    return side(width), side(height)


def chosen_steps(wanted: int | None, quality: str | None, recommended: Recommended) -> int:
    """Give the number of steps: the caller's, or the model's own by quality."""
    if wanted is not None:
        return wanted
    return max(1, min(MAX_STEPS, round(recommended.steps * QUALITY[quality or "auto"])))


def checked_steps(steps: int, scheduler: str | None, limits: Limits, model: str, param: str) -> int:
    """Return the steps if the model takes so many with this scheduler; raises TooManySteps."""
    most = most_steps(limits, scheduler)
    if steps > most:
        raise TooManySteps(
            f"{steps} steps are more than '{model}' takes{' with the scheduler lcm' if scheduler == 'lcm' else ''}. "
            f"Ask for 1 to {most}.",
            param=param,
        )
    return steps


def checked_scheduler(wanted: Scheduler | None, limits: Limits, model: str) -> Scheduler | None:
    """Return the scheduler if the model draws with it; raises SchedulerDoesNotFit."""
    if wanted is not None and wanted not in limits.schedulers:
        raise SchedulerDoesNotFit(
            f"'{model}' does not draw with the scheduler '{wanted}'. Leave it out, or ask for "
            f"{' or '.join(limits.schedulers)}.",
            param="scheduler",
        )
    return wanted


def chosen_decoder(wanted: Decoder | None, engine: Engine) -> Decoder:
    """Give the decoder: the caller's, or the service's own choice where it is installed.

    Raises:
        DecoderNotInstalled: the caller wants the small one and none here knows this model's latents.
    """
    there = engine.decoders()
    if wanted is None:
        return engine.decoder if engine.decoder in there else "full"
    if wanted not in there:
        raise DecoderNotInstalled(
            f"No small decoder for '{engine.model.id}' is installed. Leave 'decoder' out, or install one from the "
            "catalogue (task image-decoder): taesd for Stable Diffusion 1 and 2, taesdxl for XL.",
            param="decoder",
        )
    return wanted


def chosen_seed(wanted: int | None, key: str | None = None) -> int:
    """Give the seed that was asked for, or any; the same for one `key`, which would else stand for two orders."""
    if wanted is not None:
        return wanted
    if key is not None:
        return int.from_bytes(hashlib.sha256(key.encode()).digest()) % (MAX_SEED + 1)
    return secrets.randbelow(MAX_SEED + 1)


def metadata_text(spec: PictureSpec, index: int, model: str, native_size: tuple[int, int]) -> str:
    """Give the JSON that is written into a picture's file."""
    told = spec.parameters() | {
        "prompt": spec.prompt,
        "seed": spec.request(index).seed,
        "model": model,
        "native_size": list(native_size),
    }
    return json.dumps(told, ensure_ascii=False)
