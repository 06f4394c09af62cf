"""From the size a model draws in to the size that was asked for. Knows no model."""

from __future__ import annotations

import numpy as np
from PIL import Image


def fitted(picture: Image.Image, width: int, height: int) -> Image.Image:
    """Scale by Lanczos without distortion; what is left free gets the colour of the picture's border."""
    if picture.size == (width, height):
        return picture
    scale = min(width / picture.width, height / picture.height)
    inner = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    scaled = picture.resize(inner, Image.Resampling.LANCZOS)
    if inner == (width, height):
        return scaled
    canvas = Image.new("RGB", (width, height), border_colour(picture))
    canvas.paste(scaled, ((width - inner[0]) // 2, (height - inner[1]) // 2))
    return canvas


def border_colour(picture: Image.Image) -> tuple[int, int, int]:
    """Give the median colour of the outermost pixels."""
    pixels = np.asarray(picture.convert("RGB"))
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    red, green, blue = np.median(border, axis=0)
    return int(red), int(green), int(blue)
