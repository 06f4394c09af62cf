"""Bodies that callers send. Field names are OpenAI's and the older document's; ranges are checked here."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from svc_image_gen.domain.pictures import (
    MAX_PICTURES,
    MAX_SEED,
    MAX_STEPS,
    PictureSpec,
    checked_size,
    chosen_seed,
    chosen_steps,
    parse_size,
)
from svc_image_gen.engine.base import Engine, Scheduler

MAX_PROMPT_CHARS = 4000
Prompt = Annotated[str, StringConstraints(min_length=1, max_length=MAX_PROMPT_CHARS, pattern=r"\S")]
Negative = Annotated[str, StringConstraints(max_length=MAX_PROMPT_CHARS)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Guidance = Annotated[float, Field(ge=0, le=30, allow_inf_nan=False)]
Seed = Annotated[int, Field(ge=0, le=MAX_SEED)]
Steps = Annotated[int, Field(ge=1, le=MAX_STEPS)]


class GenerationBody(BaseModel):
    """`POST /v1/images/generations`. Fields of OpenAI's that mean nothing here are ignored."""

    model_config = ConfigDict(extra="ignore")
    prompt: Prompt
    model: Name | None = None
    n: int = Field(1, ge=1, le=MAX_PICTURES)
    size: Annotated[str, StringConstraints(max_length=40)] | None = None
    response_format: Literal["url", "b64_json"] | None = None
    user: Annotated[str, StringConstraints(max_length=200)] | None = None
    quality: Literal["auto", "low", "medium", "standard", "high", "hd"] | None = None
    style: Literal["vivid", "natural"] | None = None
    stream: Literal[False] | None = None
    negative_prompt: Negative = ""
    steps: Steps | None = None
    guidance_scale: Guidance | None = None
    seed: Seed | None = None
    scheduler: Scheduler | None = None

    @property
    def wants_base64(self) -> bool:
        """`gpt-image-1` always answers in base64, and its clients count on that."""
        return (self.response_format or ("b64_json" if self.model == "gpt-image-1" else "url")) == "b64_json"

    def to_domain(self, engine: Engine, key: str | None = None) -> PictureSpec:
        """Return our PictureSpec, the model's recommendations where nothing was sent."""
        width, height = parse_size(self.size)
        guidance = engine.recommended.guidance_scale if self.guidance_scale is None else self.guidance_scale
        return PictureSpec(
            model=engine.model.id,
            prompt=self.prompt,
            negative_prompt=self.negative_prompt,
            width=width,
            height=height,
            steps=chosen_steps(self.steps, self.quality, engine.recommended),
            guidance_scale=guidance,
            seed=chosen_seed(self.seed, key),
            scheduler=self.scheduler,
            n=self.n,
        )


class GenerateImageBody(BaseModel):
    """`POST /api/generate-image`, with that document's names.

    Its defaults, 20 steps and guidance 7.5, are those of Stable Diffusion: what is not sent is what the
    model recommends, and for Stable Diffusion that is the same.
    """

    model_config = ConfigDict(extra="ignore", protected_namespaces=())
    prompt: Prompt
    negative_prompt: Negative = ""
    width: int = 512
    height: int = 512
    num_inference_steps: Steps | None = None
    guidance_scale: Guidance | None = None
    model: Name | None = None
    seed: Seed | None = None
    scheduler: Scheduler | None = None

    def to_domain(self, engine: Engine, key: str | None = None) -> PictureSpec:
        """Return our PictureSpec."""
        width, height = checked_size(self.width, self.height, "width", "height")
        guidance = engine.recommended.guidance_scale if self.guidance_scale is None else self.guidance_scale
        return PictureSpec(
            model=engine.model.id,
            prompt=self.prompt,
            negative_prompt=self.negative_prompt,
            width=width,
            height=height,
            steps=chosen_steps(self.num_inference_steps, None, engine.recommended),
            guidance_scale=guidance,
            seed=chosen_seed(self.seed, key),
            scheduler=self.scheduler,
        )
