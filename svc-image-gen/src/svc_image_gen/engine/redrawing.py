"""Begins a drawing from a picture: with the image-to-image sibling of a pipeline, made of the parts that are loaded.

Owns which sibling, how many of the steps are left, and what a mask keeps. A model that was made for filling holes
would keep a mask by itself; here any model does: after each step what must stay is put back with its share of noise
(as in RePaint, Lugmayr et al. 2022, without its going back and forth).
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from PIL import Image

from svc_image_gen.engine.base import DrawRequest, Source
from svc_image_gen.engine.pipeline_kind import LCM, LCM_STEPS, XL, PipelineKind
from svc_image_gen.engine.scaling import fitted, inner_box

_SIBLINGS = {
    "StableDiffusionPipeline": "StableDiffusionImg2ImgPipeline",
    LCM: "LatentConsistencyModelImg2ImgPipeline",
    XL: "StableDiffusionXLImg2ImgPipeline",
}


@dataclass
class Beginning:
    """A pipeline that goes on from a picture, what it is called with, and what stays as it is."""

    pipeline: Any
    arguments: Mapping[str, Any]
    skipped: int
    """Steps of the request that the picture stands for."""
    kept: Kept | None

    def hold(self, state: dict[str, Any], index: int) -> None:
        """Put back into the state after step `index` what the mask keeps."""
        if self.kept is not None:
            state["latents"] = self.kept.put_back(self.pipeline, state["latents"], index)


@dataclass
class Kept:
    """The latents of the picture, the noise that they get, and where they stay (0) or go (1)."""

    latents: Any
    noise: Any
    mask: Any

    def put_back(self, pipeline: Any, latents: Any, index: int) -> Any:
        steps = pipeline.scheduler.timesteps[-pipeline.num_timesteps :]
        rest = steps[index + 1 : index + 2]
        known = (
            pipeline.scheduler.add_noise(self.latents, self.noise, rest) if len(rest) else self.latents
        ).to(latents.dtype)
        return self.mask * latents + (1 - self.mask) * known


def begin(
    pipeline: Any, kind: PipelineKind, request: DrawRequest, source: Source, native: tuple[int, int]
) -> Beginning:
    """Make ready to draw from the request's picture, in the model's own size. Blocks for one encoding."""
    image = fitted(source.image, *native)
    sibling = _sibling(pipeline, kind)
    steps, strength = request.steps, source.strength
    if kind.name == LCM:  # it takes its steps from the last part of the fifty that it learnt
        strength, skipped = min(1.0, max(strength, steps / LCM_STEPS)), 0
    else:
        steps = max(steps, math.ceil(1 / strength))
        skipped = steps - int(steps * strength)
    arguments = {"image": image, "strength": strength, "num_inference_steps": steps}
    kept = None if source.mask is None else _kept(pipeline, image, source.mask, request.seed)
    return Beginning(sibling, arguments, skipped, kept)


def finished(drawn: Image.Image, source: Source) -> Image.Image:
    """Bring what was drawn to the size of the picture it began from, whose pixels stay where the mask keeps them."""
    size = source.image.size
    box = inner_box(size, *drawn.size)
    picture = drawn.crop(box).resize(size, Image.Resampling.LANCZOS)
    return picture if source.mask is None else Image.composite(picture, source.image, source.mask)


def _sibling(pipeline: Any, kind: PipelineKind) -> Any:
    import diffusers

    of = getattr(diffusers, _SIBLINGS[kind.name])
    takes = inspect.signature(of.__init__).parameters
    given = {**pipeline.config, **pipeline.components}
    sibling = of(**{name: given[name] for name in takes if name in given})
    sibling.set_progress_bar_config(disable=True)
    return sibling


def _kept(pipeline: Any, image: Image.Image, mask: Image.Image, seed: int) -> Kept:
    import numpy as np
    import torch

    vae, side = pipeline.vae, pipeline.vae_scale_factor
    pixels = pipeline.image_processor.preprocess(image).to(vae.device)
    dtype = vae.dtype
    with torch.inference_mode():
        vae.to(torch.float32)  # in halves the encoder of XL overflows
        encoded = vae.encode(pixels)
        vae.to(dtype)
    latents = encoded.latent_dist.mode() if hasattr(encoded, "latent_dist") else encoded.latents
    latents = latents * vae.config.scaling_factor
    noise = torch.randn(latents.shape, generator=torch.Generator("cpu").manual_seed(seed)).to(latents)
    small = fitted(mask, *image.size, fill=0).resize(
        (image.width // side, image.height // side), Image.Resampling.BOX
    )
    share = torch.from_numpy(np.asarray(small, dtype=np.float32) / 255)[None, None].to(latents)
    return Kept(latents, noise, share)
