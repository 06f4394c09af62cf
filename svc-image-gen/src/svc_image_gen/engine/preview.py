"""A cheap picture of what a diffusion model has so far."""

from __future__ import annotations

from typing import Any

from PIL import Image

#: A decoder with fewer weights than this is quick enough to be used for previews.
CHEAP_DECODER_WEIGHTS = 5_000_000
_SIDE = 256
# Latent channels to red, green and blue for Stable Diffusion 1.x: the linear fit published in ComfyUI
# (comfy/latent_formats.py, SD15.latent_rgb_factors).
_SD15 = (
    (0.3512, 0.2297, 0.3227),
    (0.3250, 0.4974, 0.2350),
    (-0.2829, 0.1762, 0.2721),
    (-0.2120, -0.2616, -0.7177),
)


def preview_of(pipeline: Any, latents: Any) -> Image.Image | None:
    """Decode latents `(1, C, h, w)` roughly; None where no cheap way is known."""
    import torch

    with torch.inference_mode():
        weights = sum(parameter.numel() for parameter in pipeline.vae.decoder.parameters())
        if weights < CHEAP_DECODER_WEIGHTS:
            scaled = latents[:1] / pipeline.vae.config.scaling_factor
            pixels = pipeline.vae.decode(scaled.to(pipeline.vae.dtype)).sample[0]
        elif latents.shape[1] == len(_SD15):
            factors = torch.tensor(_SD15, dtype=torch.float32)
            pixels = torch.einsum("chw,cr->rhw", latents[0].float().cpu(), factors)
        else:
            return None
        bytes_ = ((pixels.float().cpu() / 2 + 0.5).clamp(0, 1) * 255).round().byte()
    picture = Image.fromarray(bytes_.permute(1, 2, 0).contiguous().numpy(), "RGB")
    return picture.resize((_SIDE, round(_SIDE * picture.height / picture.width)), Image.Resampling.BILINEAR)
