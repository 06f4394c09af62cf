"""What a pipeline's folder says about itself before it is loaded: what it is, how it is best asked, whether it runs here.

Reads JSON only. Nothing in a folder is ever executed: the classes that a folder may name are listed here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from svc_image_gen.engine.base import MOST_STEPS, Limits, Recommended
from svc_image_gen.errors import UnsupportedPipeline

LCM = "LatentConsistencyModelPipeline"
XL = "StableDiffusionXLPipeline"
_NEEDED = ("text_encoder", "tokenizer", "unet", "vae")
#: The pipelines that draw here, and the components that each needs.
SUPPORTED: Mapping[str, tuple[str, ...]] = {
    "StableDiffusionPipeline": (*_NEEDED, "scheduler"),
    LCM: _NEEDED,  # some of its revisions name no scheduler; there is only one that fits
    XL: (*_NEEDED, "scheduler", "text_encoder_2", "tokenizer_2"),
}
#: Components that are left out: the checker blanks pictures that it takes for indecent, the others serve the checker or
#: pictures as prompts.
LEFT_OUT = ("safety_checker", "feature_extractor", "image_encoder")
_CLASSES = {"unet": ("UNet2DConditionModel",), "vae": ("AutoencoderKL", "AutoencoderTiny")}
_LIBRARIES = ("diffusers", "transformers")
#: A model made for pictures smaller than this draws in its own size, and the picture is enlarged.
SMALL_SIDE = 256
MOST_SIDE = 1024
Family = Literal["sd", "sdxl"]
#: Which latents a pipeline makes, by the number their decoder scales them with: the decoders of Stable Diffusion 1 and 2
#: are one, that of XL another (their configurations on the hub).
_FAMILIES: Mapping[float, Family] = {0.18215: "sd", 0.13025: "sdxl"}
_LATENT_CHANNELS = 4
#: Samplers of the models that were distilled to draw in a few steps without guidance (Turbo, Lightning).
_EULER = ("EulerDiscreteScheduler", "EulerAncestralDiscreteScheduler")
LCM_STEPS = 50


@dataclass(frozen=True)
class PipelineKind:
    """A folder's own account of itself.

    `own_side` is the side of the square pictures it was made for, in pixels; `family` is None for latents that only its
    own decoder knows; `variant` is `fp16` where a component's weights are there in that form.
    """

    name: str
    recommended: Recommended
    limits: Limits
    own_side: int
    family: Family | None
    variant: str | None


def check_class(index: Mapping[str, Any], name: str) -> str:
    """Return the class that a `model_index.json` names. Raises UnsupportedPipeline if it is none that draws here."""
    kind = index.get("_class_name")
    if not isinstance(kind, str) or kind not in SUPPORTED:
        shown = kind if isinstance(kind, str) else "pipeline of its own code"
        raise UnsupportedPipeline(
            f"'{name[:100]}' is a {shown[:60]}, which does not draw here. Choose a {_listed(SUPPORTED)}.",
            of="kind" if isinstance(kind, str) else "own_code",
            found=kind[:60] if isinstance(kind, str) else None,
            runs=tuple(SUPPORTED) if isinstance(kind, str) else (),
        )
    return kind


def check_pipeline(index: Mapping[str, Any], name: str) -> None:
    """Look at a `model_index.json`.

    Raises:
        UnsupportedPipeline: its class, or the class of a component, is none that draws here.
    """
    kind = check_class(index, name)
    for part in SUPPORTED[kind]:
        told = index.get(part)
        library, of = told if isinstance(told, list) and len(told) == 2 else (None, None)
        if library not in _LIBRARIES or of not in _CLASSES.get(part, (of,)):
            shown = f"{library}.{of}" if of else "missing"
            raise UnsupportedPipeline(
                f"The component '{part}' of '{name[:100]}' is {shown[:80]}; only components of diffusers and "
                "transformers run here, and no code that comes with a model. Choose another repository.",
                of="own_code",
            )


def read_kind(folder: Path, *, builtin: Recommended | None = None) -> PipelineKind:
    """Read a pipeline's folder; `recommended.json` in it (`{"steps", "guidance_scale"}`) wins over what is usual.

    Raises:
        UnsupportedPipeline: see check_pipeline.
    """
    index = _json(folder / "model_index.json")
    check_pipeline(index, folder.name)
    name = str(index["_class_name"])
    scheduler = _json(folder / "scheduler" / "scheduler_config.json")
    vae = _json(folder / "vae" / "config.json")
    side = _own_side(_json(folder / "unet" / "config.json"), vae)
    recommended = builtin or _usual(name, scheduler, side)
    return PipelineKind(
        name=name,
        recommended=_own_words(folder, recommended),
        limits=_limits(name, scheduler),
        own_side=side,
        family=_family(vae),
        variant="fp16" if any(folder.glob("*/*.fp16*.safetensors")) else None,
    )


def most_steps(limits: Limits, scheduler: str | None) -> int:
    """Tell how many steps can be asked for with a scheduler: the consistency sampler knows fifty."""
    return min(limits.most_steps, LCM_STEPS) if scheduler == "lcm" else limits.most_steps


def _usual(name: str, scheduler: Mapping[str, Any], side: int) -> Recommended:
    """What models of a kind are asked with by those who made them."""
    size = (512, 512) if side < SMALL_SIDE else (min(side, MOST_SIDE),) * 2
    sampler = scheduler.get("_class_name")
    if name == LCM:
        # guidance goes in as a number beside the step; the pipeline's own default
        return Recommended(4, 8.5, size, (1, 8))
    if sampler == "LCMScheduler":
        return Recommended(4, 1.0, size, (2, 8))
    trailing = scheduler.get("timestep_spacing") == "trailing"
    if sampler in _EULER and trailing and scheduler.get("prediction_type", "epsilon") == "epsilon":
        return Recommended(4, 0.0, size, (1, 4))
    return Recommended(size=size)


def _limits(name: str, scheduler: Mapping[str, Any]) -> Limits:
    if name != LCM:
        return Limits()
    most = min(MOST_STEPS, int(scheduler.get("original_inference_steps", LCM_STEPS)))
    return Limits(most_steps=most, schedulers=("lcm",), negative_prompt=False)


def _own_side(unet: Mapping[str, Any], vae: Mapping[str, Any]) -> int:
    latents = unet.get("sample_size") or 64
    latents = max(latents) if isinstance(latents, list) else int(latents)
    blocks = vae.get("block_out_channels") or [0] * 4
    return int(latents * 2 ** (len(blocks) - 1))


def _family(vae: Mapping[str, Any]) -> Family | None:
    if vae.get("latent_channels", _LATENT_CHANNELS) != _LATENT_CHANNELS:
        return None
    return _FAMILIES.get(float(vae.get("scaling_factor", 0.18215)))


def _own_words(folder: Path, usual: Recommended) -> Recommended:
    values = _json(folder / "recommended.json")
    known = {
        name: values[name]
        for name in ("steps", "guidance_scale")
        if isinstance(values.get(name), (int, float))
    }
    return replace(usual, **known)


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _listed(names: Mapping[str, object]) -> str:
    *most, last = names
    return f"{', '.join(most)} or {last}"
