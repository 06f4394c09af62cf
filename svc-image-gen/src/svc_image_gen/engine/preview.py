"""A cheap picture of what a diffusion model has so far."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PIL import Image

from svc_image_gen.engine.pipeline_kind import Family

#: A decoder with fewer weights than this is quick enough to be used for previews.
CHEAP_DECODER_WEIGHTS = 5_000_000
_SIDE = 256
#: Latents are averaged to at most this side before a decoder sees them: four times faster at 512 x 512, and a preview
#: is shown at 256 anyway.
_LATENT_SIDE = 32
# Latent channels to red, green and blue: the linear fits published in ComfyUI (comfy/latent_formats.py,
# latent_rgb_factors of SD15 and SDXL).
_FACTORS: Mapping[Family, tuple[tuple[float, float, float], ...]] = {
    "sd": (
        (0.3512, 0.2297, 0.3227),
        (0.3250, 0.4974, 0.2350),
        (-0.2829, 0.1762, 0.2721),
        (-0.2120, -0.2616, -0.7177),
    ),
    "sdxl": (
        (0.3920, 0.4054, 0.4549),
        (-0.2634, -0.0196, 0.0653),
        (0.0568, 0.1687, -0.0755),
        (-0.3112, -0.2359, -0.2076),
    ),
}


def preview_of(pipeline: Any, latents: Any, family: Family | None, small: Any = None) -> Image.Image | None:
    """Decode latents `(1, C, h, w)` roughly; None where no cheap way is known.

    Args:
        family: whose latents they are, for the linear fit.
        small: a small decoder that knows them.
    """
    import torch

    with torch.inference_mode():
        decoder = small if small is not None else _cheap(pipeline.vae)
        if decoder is not None:
            scaled = _averaged(latents[:1]) / decoder.config.scaling_factor
            pixels = decoder.decode(scaled.to(decoder.device, decoder.dtype), return_dict=False)[0][0]
        elif family is not None:
            factors = torch.tensor(_FACTORS[family], dtype=torch.float32)
            pixels = torch.einsum("chw,cr->rhw", latents[0].float().cpu(), factors)
        else:
            return None
        bytes_ = ((pixels.float().cpu() / 2 + 0.5).clamp(0, 1) * 255).round().byte()
    picture = Image.fromarray(bytes_.permute(1, 2, 0).contiguous().numpy(), "RGB")
    return picture.resize((_SIDE, round(_SIDE * picture.height / picture.width)), Image.Resampling.BILINEAR)


def _cheap(decoder: Any) -> Any | None:
    weights = sum(parameter.numel() for parameter in decoder.decoder.parameters())
    return decoder if weights < CHEAP_DECODER_WEIGHTS else None


def _averaged(latents: Any) -> Any:
    import torch

    factor = -(-max(latents.shape[-2:]) // _LATENT_SIDE)
    if factor == 1:
        return latents
    return torch.nn.functional.avg_pool2d(latents.float(), factor, ceil_mode=True).to(latents.dtype)
