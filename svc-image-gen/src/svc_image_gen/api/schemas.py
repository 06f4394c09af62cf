"""Bodies that callers send. Field names are OpenAI's and the older document's; ranges are checked here."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, ClassVar, Literal

from PIL.Image import Image
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
    natural_size,
    parse_size,
)
from svc_image_gen.engine.base import MOST_GUIDANCE, Decoder, Engine, Scheduler, heeds_negative_prompt

MAX_PROMPT_CHARS = 4000
Prompt = Annotated[str, StringConstraints(min_length=1, max_length=MAX_PROMPT_CHARS, pattern=r"\S")]
Negative = Annotated[str, StringConstraints(max_length=MAX_PROMPT_CHARS)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Guidance = Annotated[float, Field(ge=0, le=MOST_GUIDANCE, allow_inf_nan=False)]
Seed = Annotated[int, Field(ge=0, le=MAX_SEED)]
Strength = Annotated[float, Field(ge=0.05, le=1, allow_inf_nan=False)]
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


class EditBody(GenerationBody):
    """The fields of `POST /v1/images/edits`; `strength` is ours: the share of the steps that are drawn anew."""

    strength: Strength | None = None
    usual_strength: ClassVar[float] = 0.8

    def size_for(self, image: Image) -> tuple[int, int]:
        """Return the size that is drawn: the one asked for, or nearly the picture's own."""
        return parse_size(self.size, natural_size(*image.size))

    def redrawn(
        self, engine: Engine, key: str | None, size: tuple[int, int], source: str, mask: str | None
    ) -> PictureSpec:
        """Return our PictureSpec; a picture that begins from another is finished by the model's own decoder."""
        steps = chosen_steps(self.steps, self.quality, engine.recommended)
        spec = self.spec(engine, key, size, steps, "steps", self.n)
        unheeded = ("decoder",) if self.decoder == "small" else ()
        strength = self.strength or (1.0 if mask else self.usual_strength)
        return replace(
            spec,
            decoder="full",
            ignored=(*spec.ignored, *unheeded),
            source=source,
            mask=mask,
            strength=strength,
        )


class VariationBody(EditBody):
    """The fields of `POST /v1/images/variations`; a prompt may be given all the same.

    Without one nothing is to be kept to, so there is no guidance unless it is asked for.
    """

    prompt: Annotated[str, StringConstraints(max_length=MAX_PROMPT_CHARS)] = ""
    guidance_scale: Guidance | None = 1.0
    usual_strength: ClassVar[float] = 0.5


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
