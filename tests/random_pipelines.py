"""Pipelines of diffusers with random weights: tiny ones for tests, real shapes for measurements of speed and memory.

Neither what a pipeline's files look like nor how long a step takes depends on the values of its weights.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

TOKENIZER = Path(__file__).parents[1] / "svc-image-gen" / "models" / "draw" / "tokenizer"
Kind = Literal["sd", "lcm", "turbo", "xl-turbo", "taesd"]
LCM_COND = 256
_BLOCKS = ("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",), ("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3
#: How the schedulers of the public models are set (their scheduler_config.json).
_NOISE = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "steps_offset": 1}
SCHEDULERS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "sd": ("PNDMScheduler", {"skip_prk_steps": True, "set_alpha_to_one": False}),
    "lcm": ("LCMScheduler", {}),
    "turbo": ("EulerDiscreteScheduler", {"timestep_spacing": "trailing"}),
    "xl-turbo": ("EulerAncestralDiscreteScheduler", {"timestep_spacing": "trailing"}),
}
PIPELINES = {
    "sd": "StableDiffusionPipeline",
    "lcm": "LatentConsistencyModelPipeline",
    "turbo": "StableDiffusionPipeline",
    "xl-turbo": "StableDiffusionXLPipeline",
}


@dataclass(frozen=True)
class Shape:
    """Arguments of a pipeline's networks; `texts` are its text encoders' hidden size, layers, heads and words."""

    unet: dict[str, Any]
    vae: dict[str, Any]
    texts: list[tuple[int, int, int, int]] = field(default_factory=list)


_TINY_VAE = {"block_out_channels": (8, 8, 16, 16), "layers_per_block": 1, "norm_num_groups": 4}
_VAE = {"block_out_channels": (128, 256, 512, 512), "layers_per_block": 2, "sample_size": 512}
_TINY_UNET: dict[str, Any] = {
    "sample_size": 32, "block_out_channels": (16, 32), "layers_per_block": 1, "norm_num_groups": 4,
    "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"), "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
    "attention_head_dim": 4, "cross_attention_dim": 16,
}  # fmt: skip
_XL_ADDED = {"addition_embed_type": "text_time", "use_linear_projection": True}
_UNET: dict[str, Any] = {
    "sample_size": 64, "block_out_channels": (320, 640, 1280, 1280), "layers_per_block": 2, "attention_head_dim": 8,
    "cross_attention_dim": 768,
}  # fmt: skip


def tiny(kind: Kind) -> Shape:
    """Return a shape of a few thousand weights that draws at any size."""
    unet, text = dict(_TINY_UNET), (16, 2, 2, 911)
    if kind == "lcm":
        unet["time_cond_proj_dim"] = LCM_COND
    if kind != "xl-turbo":
        return Shape(unet, _TINY_VAE, [text])
    added = {"addition_time_embed_dim": 8, "projection_class_embeddings_input_dim": 6 * 8 + 16}
    return Shape(unet | _XL_ADDED | added | {"cross_attention_dim": 32}, _TINY_VAE, [text, text])


def real(kind: Kind) -> Shape:
    """Return the shape of the public model: Stable Diffusion 1.5, LCM-Dreamshaper, SD-Turbo, SDXL-Turbo."""
    clip_l, clip_h, clip_g = (768, 12, 12, 49408), (1024, 23, 16, 49408), (1280, 32, 20, 49408)
    if kind == "sd":
        return Shape(_UNET, _VAE, [clip_l])
    if kind == "lcm":
        return Shape(_UNET | {"time_cond_proj_dim": LCM_COND}, _VAE, [clip_l])
    if kind == "turbo":
        heads = {
            "attention_head_dim": [5, 10, 20, 20],
            "cross_attention_dim": 1024,
            "use_linear_projection": True,
        }
        return Shape(_UNET | heads, _VAE, [clip_h])
    unet = _XL_ADDED | {
        "sample_size": 64, "block_out_channels": (320, 640, 1280), "layers_per_block": 2,
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        "transformer_layers_per_block": [1, 2, 10], "attention_head_dim": [5, 10, 20], "cross_attention_dim": 2048,
        "addition_time_embed_dim": 256, "projection_class_embeddings_input_dim": 2816,
    }  # fmt: skip
    return Shape(unet, _VAE, [clip_l, clip_g])


def make(kind: Kind, folder: Path, shape: Shape | None = None, *, half: bool = False) -> Path:
    """Write a pipeline (tiny unless `shape` says other) or a small decoder; `half` writes `.fp16.safetensors` only."""
    import torch

    torch.manual_seed(0)
    if kind == "taesd":
        return _decoder(folder, small=shape is None)
    parts = _parts(
        kind, shape or tiny(kind), torch.float16 if half else torch.float32, real=shape is not None
    )
    shape = shape or tiny(kind)
    folder.mkdir(parents=True, exist_ok=True)
    index: dict[str, Any] = {"_class_name": PIPELINES[kind], "_diffusers_version": "0.24.0"}
    for name, (library, part) in parts.items():
        part.save_pretrained(folder / name, **({"variant": "fp16"} if half and name != "scheduler" else {}))
        index[name] = [library, type(part).__name__]
    for number in range(len(shape.texts)):
        name = "tokenizer" if number == 0 else f"tokenizer_{number + 1}"
        shutil.copytree(TOKENIZER, folder / name, dirs_exist_ok=True)
        index[name] = ["transformers", "CLIPTokenizer"]
    if kind in ("sd", "lcm"):
        # as the public repositories name them: the checker is not fetched, the extractor's class is gone
        index["safety_checker"] = ["stable_diffusion", "StableDiffusionSafetyChecker"]
        index["feature_extractor"] = ["transformers", "CLIPFeatureExtractor"]
    (folder / "model_index.json").write_text(json.dumps(index))
    return folder


def network(make: Callable[[], Any], dtype: Any, *, real: bool) -> Any:
    """Make a network; a `real` one without the minutes that drawing each weight takes: one random block, repeated."""
    import torch

    if not real:
        made = make()
        return made if dtype == torch.float32 else made.to(dtype)
    with torch.device("meta"):
        made = make()
    made = made.to(dtype).to_empty(device="cpu").eval()
    block = torch.randn(2**20 + 7).mul_(0.02).to(dtype)
    for number, (name, value) in enumerate((*made.named_parameters(), *made.named_buffers())):
        if name.endswith("position_ids"):
            value.copy_(torch.arange(value.shape[-1]).expand(value.shape))
            continue
        flat, block = (
            value.data.view(-1),
            block.roll(4099 * number + 1),
        )  # or a converter keeps equal ones once
        for at in range(0, len(flat), len(block)):
            flat[at : at + len(block)] = block[: len(flat) - at]
    return made


def _parts(kind: Kind, shape: Shape, dtype: Any, *, real: bool) -> dict[str, tuple[str, Any]]:
    import diffusers
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    scaling = 0.13025 if kind == "xl-turbo" else 0.18215
    blocks = {"down_block_types": ("DownEncoderBlock2D",) * 4, "up_block_types": ("UpDecoderBlock2D",) * 4}
    name, options = SCHEDULERS[kind]

    def own_decoder() -> Any:
        return diffusers.AutoencoderKL(scaling_factor=scaling, **blocks, **shape.vae)

    parts: dict[str, tuple[str, Any]] = {
        "unet": (
            "diffusers",
            network(lambda: diffusers.UNet2DConditionModel(**shape.unet), dtype, real=real),
        ),
        "vae": ("diffusers", network(own_decoder, dtype, real=real)),
        "scheduler": ("diffusers", getattr(diffusers, name)(**_NOISE | options)),
    }
    for number, (hidden, layers, heads, words) in enumerate(shape.texts):
        config = CLIPTextConfig(
            hidden_size=hidden, intermediate_size=4 * hidden, num_hidden_layers=layers, num_attention_heads=heads,
            vocab_size=words, projection_dim=hidden, bos_token_id=0, eos_token_id=1, pad_token_id=1,
        )  # fmt: skip
        kind_of = CLIPTextModel if number == 0 else CLIPTextModelWithProjection
        encoder = network(lambda kind_of=kind_of, config=config: kind_of(config), dtype, real=real)
        parts["text_encoder" if number == 0 else f"text_encoder_{number + 1}"] = ("transformers", encoder)
    return parts


def _decoder(folder: Path, *, small: bool) -> Path:
    from diffusers import AutoencoderTiny

    sizes = (8, 8, 8, 8) if small else (64, 64, 64, 64)
    AutoencoderTiny(encoder_block_out_channels=sizes, decoder_block_out_channels=sizes).save_pretrained(
        folder
    )
    return folder
