"""Trains the picture codec (AutoencoderKL) of the drawing model. Knows nothing about words."""

import random

import torch
from diffusers import AutoencoderKL

from miniatures.scenes.model import random_scene
from miniatures.scenes.render import render
from miniatures.training import REPOSITORY, Options, Trainer, parse, to_tensor
from miniatures.vae.basis import CHANNELS, PATCH, SIDE, Basis, fit

OUT = REPOSITORY / "svc-image-gen" / "models" / "draw" / "vae"
STEPS = 1500
BATCH = 6
# Side of the quarters the codec begins with, in patches, and for which part of the steps.
QUARTER = 4
QUARTERS_FOR = 0.75
EDGE_WEIGHT = 0.5
# The drawing network never hits a code exactly: the decoder learns to forgive this much.
NOISE = 0.06
LOG_VARIANCE = -6.0


def build() -> AutoencoderKL:
    """An untrained codec."""
    return AutoencoderKL(
        in_channels=3,
        out_channels=3,
        latent_channels=CHANNELS,
        sample_size=SIDE,
        norm_num_groups=8,
        block_out_channels=(16, 32, 64, 96),
        layers_per_block=1,
        mid_block_add_attention=False,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        scaling_factor=1.0,
    )


def pictures(rng: random.Random, count: int) -> torch.Tensor:
    """Freshly drawn scenes. The codec sees no words, so it may see any scene."""
    return to_tensor(render(random_scene(rng), rng, SIDE).image for _ in range(count))


def batch(rng: random.Random, whole: bool) -> torch.Tensor:
    """A batch of whole pictures, or twice as many quarters: those are as good to begin with."""
    whole_pictures = pictures(rng, BATCH)
    if whole:
        return whole_pictures
    cuts = []
    for picture in whole_pictures.repeat_interleave(2, dim=0):
        top, left = (rng.randint(0, SIDE // PATCH - QUARTER) * PATCH for _ in range(2))
        extent = QUARTER * PATCH
        cuts.append(picture[:, top : top + extent, left : left + extent])
    return torch.stack(cuts)


def loss(codec: AutoencoderKL, basis: Basis, wanted: torch.Tensor) -> dict[str, torch.Tensor]:
    """How far the encoder is from the code, and the decoder from the pictures."""
    code = basis.encode(wanted)
    said = codec.encode(wanted).latent_dist
    encoding = (said.mean - code).square().mean() + 0.01 * (said.logvar - LOG_VARIANCE).square().mean()
    decoded = codec.decode(code + NOISE * torch.randn_like(code)).sample
    error = (decoded - wanted).abs().mean()
    return {
        "loss": error + EDGE_WEIGHT * _edges(decoded, wanted) + encoding,
        "pixel": error,
        "code": encoding,
    }


def _edges(decoded: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Error of the differences between neighbours: what makes outlines crisp."""
    difference = decoded - wanted
    return difference.diff(dim=2).abs().mean() + difference.diff(dim=3).abs().mean()


def main(arguments: list[str] | None = None) -> None:
    """Train and write the codec."""
    options: Options = parse(__doc__ or "", STEPS, OUT, arguments)
    codec, basis = build(), fit(options.seed)
    trainer = Trainer(
        "vae", {"vae": codec}, options, rate=2e-3, save=lambda: codec.save_pretrained(options.out)
    )

    def batch_loss(step: int) -> dict[str, torch.Tensor]:
        whole = step > QUARTERS_FOR * options.steps
        return loss(codec, basis, batch(random.Random(options.seed * 10**7 + step), whole))

    trainer.run(batch_loss)


if __name__ == "__main__":
    main()
