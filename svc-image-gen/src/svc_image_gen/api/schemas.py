"""Bodies that callers send. Field names are OpenAI's and the older document's; ranges are checked here."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from svc_image_gen.domain.pictures import (
    MAX_PICTURES,
    MAX_SEED,
    MAX_STEPS,
    PictureSpec,
    checked_scheduler,
    checked_size,
    checked_steps,
    chosen_decoder,
    chosen_seed,
    chosen_steps,
    parse_size,
)
from svc_image_gen.engine.base import MOST_GUIDANCE, Decoder, Engine, Scheduler, heeds_negative_prompt

MAX_PROMPT_CHARS = 4000
Prompt = Annotated[str, StringConstraints(min_length=1, max_length=MAX_PROMPT_CHARS, pattern=r"\S")]
Negative = Annotated[str, StringConstraints(max_length=MAX_PROMPT_CHARS)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Guidance = Annotated[float, Field(ge=0, le=MOST_GUIDANCE, allow_inf_nan=False)]
Seed = Annotated[int, Field(ge=0, le=MAX_SEED)]
Steps = Annotated[int, Field(ge=1, le=MAX_STEPS)]


class _Drawn(BaseModel):
    """What both ways of asking share: fields that OpenAI does not know."""

    model_config = ConfigDict(extra="ignore", protected_namespaces=())
    prompt: Prompt
    model: Name | None = None
    negative_prompt: Negative = ""
    guidance_scale: Guidance | None = None
    seed: Seed | None = None
    scheduler: Scheduler | None = None
    decoder: Decoder | None = None

    def spec(
        self, engine: Engine, key: str | None, size: tuple[int, int], steps: int, param: str, n: int = 1
    ) -> PictureSpec:
        """Return our PictureSpec, the model's recommendations where nothing was sent.

        Args:
            param: the field that `steps` came in, for messages.
        """
        model, limits = engine.model.id, engine.limits
        guidance = engine.recommended.guidance_scale if self.guidance_scale is None else self.guidance_scale
        heeded = heeds_negative_prompt(limits, guidance)
        scheduler = checked_scheduler(self.scheduler, limits, model)
        return PictureSpec(
            model=model,
            prompt=self.prompt,
            negative_prompt=self.negative_prompt if heeded else "",
            width=size[0],
            height=size[1],
            steps=checked_steps(steps, scheduler, limits, model, param),
            guidance_scale=guidance,
            seed=chosen_seed(self.seed, key),
            scheduler=scheduler,
            n=n,
            decoder=chosen_decoder(self.decoder, engine),
            ignored=("negative_prompt",) if self.negative_prompt and not heeded else (),
        )


class GenerationBody(_Drawn):
    """`POST /v1/images/generations`. Fields of OpenAI's that mean nothing here are ignored."""

    n: int = Field(1, ge=1, le=MAX_PICTURES)
    size: Annotated[str, StringConstraints(max_length=40)] | None = None
    response_format: Literal["url", "b64_json"] | None = None
    user: Annotated[str, StringConstraints(max_length=200)] | None = None
    quality: Literal["auto", "low", "medium", "standard", "high", "hd"] | None = None
    style: Literal["vivid", "natural"] | None = None
    stream: Literal[False] | None = None
    steps: Steps | None = None

    @property
    def wants_base64(self) -> bool:
        """`gpt-image-1` always answers in base64, and its clients count on that."""
        return (self.response_format or ("b64_json" if self.model == "gpt-image-1" else "url")) == "b64_json"

    def to_domain(self, engine: Engine, key: str | None = None) -> PictureSpec:
        """Return our PictureSpec."""
        size = parse_size(self.size, engine.recommended.size)
        steps = chosen_steps(self.steps, self.quality, engine.recommended)
        return self.spec(engine, key, size, steps, "steps", self.n)


class GenerateImageBody(_Drawn):
    """`POST /api/generate-image`, with that document's names.

    Its defaults, 512 x 512, 20 steps and guidance 7.5, are those of Stable Diffusion: what is not sent is what the
    model recommends, and for Stable Diffusion that is the same.
    """

    width: int | None = None
    height: int | None = None
    num_inference_steps: Steps | None = None

    def to_domain(self, engine: Engine, key: str | None = None) -> PictureSpec:
        """Return our PictureSpec."""
        width, height = engine.recommended.size
        size = checked_size(
            width if self.width is None else self.width,
            height if self.height is None else self.height,
            "width",
            "height",
        )
        steps = chosen_steps(self.num_inference_steps, None, engine.recommended)
        return self.spec(engine, key, size, steps, "num_inference_steps")
