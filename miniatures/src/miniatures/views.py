"""Pictures as the readers (captioner, detector) meet them: any size, sometimes JPEG, scaled down.

Knows nothing about the networks that read them.
"""

import random

from PIL import Image

from miniatures.scenes.model import Scene
from miniatures.scenes.render import Picture, render, with_jpeg_noise

SIDE = 64
LARGER = (96, 128, 160, 224, 256)


def seen(scene: Scene, rng: random.Random) -> Picture:
    """A picture of the scene at the readers' own size; the boxes are in its pixels."""
    size = SIDE if rng.random() < 0.85 else rng.choice(LARGER)
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
