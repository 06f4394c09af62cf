"""Trains the picture codec (AutoencoderKL) of the drawing model. Knows nothing about words.

The decoder takes nearly all the time: it alone is used for drawing. The encoder, which turns a
picture into its code, is close to a straight projection and learns it from a small part.
"""

import random

import torch
from diffusers import AutoencoderKL
from torch import nn

from miniatures.scenes.model import random_scene
from miniatures.scenes.render import render
from miniatures.training import REPOSITORY, Options, Trainer, parse, to_tensor
from miniatures.vae.basis import CHANNELS, JITTER, SIDE, Basis, fit

OUT = REPOSITORY / "svc-image-gen" / "models" / "draw" / "vae"
MINUTES = 10
BATCH = 8
ENCODED = 2
RATE = 2e-3
# Corners are few pixels, and they make a square of a circle: what lies at an edge counts more.
SHARP_WEIGHT = 3.0
EDGE_SHARE = 6.0
CONTRAST = 0.15
# Of scenes with one, two and three shapes: the smaller the shapes, the more corners in a picture.
SHARES = (20, 50, 30)
# The drawing network never hits a code exactly: the decoder learns to forgive up to this much.
NOISE = 0.2
LOG_VARIANCE = -6.0


def build() -> AutoencoderKL:
    """An untrained codec, thin where the picture is large."""
    return AutoencoderKL(
        in_channels=3,
        out_channels=3,
        latent_channels=CHANNELS,
        sample_size=SIDE,
        norm_num_groups=4,
        block_out_channels=(12, 24, 48, 96),
        layers_per_block=1,
        mid_block_add_attention=False,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        scaling_factor=1.0,
    )


def pictures(rng: random.Random, count: int) -> torch.Tensor:
    """Freshly drawn scenes. The codec sees no words, so it may see any scene."""
    sizes = rng.choices((1, 2, 3), SHARES, k=count)
    return to_tensor(render(random_scene(rng, n), rng, SIDE, JITTER).image for n in sizes)


def loss(codec: AutoencoderKL, basis: Basis, wanted: torch.Tensor) -> dict[str, torch.Tensor]:
    """How far the encoder is from the code, and the decoder from the pictures."""
    code = basis.encode(wanted)
    said = codec.encode(wanted[:ENCODED]).latent_dist
    encoding = (said.mean - code[:ENCODED]).square().mean()
    encoding = encoding + 0.01 * (said.logvar - LOG_VARIANCE).square().mean()
    noise = NOISE * torch.rand(len(code), 1, 1, 1) * torch.randn_like(code)
    decoded = codec.decode((code + noise).contiguous(memory_format=torch.channels_last)).sample
    error = (decoded - wanted).abs()
    sharp = (error.square() * (1 + EDGE_SHARE * _edges(wanted))).mean()
    return {
        "loss": error.mean() + SHARP_WEIGHT * sharp + encoding,
        "pixel": error.mean(),
        "sharp": sharp,
        "code": encoding,
    }


def _edges(wanted: torch.Tensor) -> torch.Tensor:
    """One where a pixel has a neighbour of another colour, else zero: `(B, 1, 64, 64)`."""
    pool = nn.functional.max_pool2d
    spread = pool(wanted, 3, 1, 1) + pool(-wanted, 3, 1, 1)
    return (spread.amax(1, keepdim=True) > CONTRAST).float()


def main(arguments: list[str] | None = None) -> None:
    """Train and write the codec."""
    options: Options = parse(__doc__ or "", MINUTES, OUT, arguments)
    codec = AutoencoderKL.from_pretrained(options.begin) if options.begin else build()
    codec, basis = codec.to(memory_format=torch.channels_last), fit()
    trainer = Trainer(
        "vae", {"vae": codec}, options, rate=RATE / 2 if options.begin else RATE, ema_decay=0.99
    )
    trainer.save = lambda: codec.save_pretrained(options.out, state_dict=trainer.averaged("vae"))
    trainer.run(lambda step: loss(codec, basis, pictures(random.Random(options.seed * 10**7 + step), BATCH)))


if __name__ == "__main__":
    main()
