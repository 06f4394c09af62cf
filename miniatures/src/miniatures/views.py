"""Pictures as the readers (captioner, detector) meet them: any size, sometimes JPEG, scaled down.

Knows nothing about the networks that read them.
"""

import random

import torch
from PIL import Image

from miniatures.scenes.model import Scene
from miniatures.scenes.render import Picture, render, with_jpeg_noise
from miniatures.training import to_tensor
from miniatures.vae.basis import Basis

SIDE = 64
DRAWN_NOISE = 0.35
# Scaled down, any larger size looks much like these: a little softer than what is drawn at 64 pixels.
LARGER = (96, 128, 128, 160)


def seen(scene: Scene, rng: random.Random) -> Picture:
    """A picture of the scene at the readers' own size; the boxes are in its pixels."""
    size = SIDE if rng.random() < 0.5 else rng.choice(LARGER)
    # Half as neat as the world allows, now and then: so the drawing model draws.
    picture = render(scene, rng, size, jitter=rng.choice((0.3, 1.0, 1.0)))
    image = with_jpeg_noise(picture.image, rng) if rng.random() < 0.5 else picture.image
    if size != SIDE:
        image = image.resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    scale = SIDE / size
    boxes = tuple(
        type(b)(b.left * scale, b.top * scale, b.right * scale, b.bottom * scale) for b in picture.boxes
    )
    return Picture(scene, image, boxes)


def as_drawn(scenes: list[Scene], basis: Basis, rng: random.Random) -> list[Image.Image]:
    """The scenes roughly as the drawing model draws them: through its code, and not quite hit."""
    neat = to_tensor(render(scene, rng, SIDE, jitter=rng.choice((0.15, 0.3))).image for scene in scenes)
    codes = basis.encode(neat)
    missed = torch.tensor([rng.random() for _ in scenes]).view(-1, 1, 1, 1) * DRAWN_NOISE
    pictures = basis.decode(codes + missed * torch.randn_like(codes)).clamp(-1, 1)
    pixels = ((pictures + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()
    return [Image.fromarray(picture) for picture in pixels]
