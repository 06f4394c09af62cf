"""Trains the picture codec (AutoencoderKL) of the drawing model. Knows nothing about words."""

import random

import torch
from diffusers import AutoencoderKL

from miniatures.scenes.model import random_scene
from miniatures.scenes.render import render
from miniatures.training import REPOSITORY, Options, Trainer, parse, to_tensor

OUT = REPOSITORY / "svc-image-gen" / "models" / "draw" / "vae"
SIDE = 64
BATCH = 16
KL_WEIGHT = 1e-4
EDGE_WEIGHT = 0.5


def build() -> AutoencoderKL:
    """An untrained codec."""
    return AutoencoderKL(
        in_channels=3, out_channels=3, latent_channels=8, sample_size=SIDE, norm_num_groups=8,
        block_out_channels=(16, 32, 64, 96), layers_per_block=1, mid_block_add_attention=False,
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
    )


def pictures(rng: random.Random, count: int) -> torch.Tensor:
    """Freshly drawn scenes. The codec sees no words, so it may see any scene."""
    return to_tensor(render(random_scene(rng), rng, SIDE).image for _ in range(count))


def loss(codec: AutoencoderKL, batch: torch.Tensor) -> dict[str, torch.Tensor]:
    """How far the decoded pictures are from the originals, and how unruly the codes are."""
    code = codec.encode(batch).latent_dist
    decoded = codec.decode(code.sample()).sample
    error = (decoded - batch).abs().mean()
    edges = _edges(decoded, batch)
    kl = code.kl().mean() / code.mean[0].numel()
    return {"loss": error + EDGE_WEIGHT * edges + KL_WEIGHT * kl, "pixel": error, "kl": kl}


def _edges(decoded: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Error of the differences between neighbours: what makes outlines crisp."""
    difference = decoded - wanted
    return difference.diff(dim=2).abs().mean() + difference.diff(dim=3).abs().mean()


def finish(codec: AutoencoderKL, options: Options) -> None:
    """Measure the spread of the codes, note it as the scaling factor and write the model."""
    codec.eval()
    with torch.no_grad():
        codes = codec.encode(pictures(random.Random(options.seed + 1), 256)).latent_dist.mean
    codec.register_to_config(scaling_factor=round(float(1 / codes.std()), 5))
    codec.save_pretrained(options.out)
    codec.train()


def main(arguments: list[str] | None = None) -> None:
    """Train and write the codec."""
    options = parse(__doc__ or "", 700, OUT, arguments)
    codec = build().to(memory_format=torch.channels_last)
    trainer = Trainer("vae", {"vae": codec}, options, rate=2e-3, save=lambda: finish(codec, options))
    trainer.run(lambda step: loss(codec, pictures(random.Random(options.seed * 10**7 + step), BATCH)))


if __name__ == "__main__":
    main()
