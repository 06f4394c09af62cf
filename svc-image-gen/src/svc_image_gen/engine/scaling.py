"""From the size a model draws in to the size that was asked for. Knows no model."""

from __future__ import annotations

import numpy as np
from PIL import Image


def fitted(picture: Image.Image, width: int, height: int, fill: int | None = None) -> Image.Image:
    """Scale by Lanczos without distortion; what is left free gets `fill`, or the colour of the picture's border."""
    if picture.size == (width, height):
        return picture
    left, top, right, bottom = inner_box(picture.size, width, height)
    scaled = picture.resize((right - left, bottom - top), Image.Resampling.LANCZOS)
    if scaled.size == (width, height):
        return scaled
    canvas = Image.new(picture.mode, (width, height), border_colour(picture) if fill is None else fill)
    canvas.paste(scaled, (left, top))
    return canvas


def inner_box(size: tuple[int, int], width: int, height: int) -> tuple[int, int, int, int]:
    """Give where a picture of `size` lies when it is fitted into `width` and `height`: left, top, right, bottom."""
    scale = min(width / size[0], height / size[1])
    inner = (max(1, round(size[0] * scale)), max(1, round(size[1] * scale)))
    left, top = (width - inner[0]) // 2, (height - inner[1]) // 2
    return left, top, left + inner[0], top + inner[1]


def border_colour(picture: Image.Image) -> tuple[int, int, int]:
    """Give the median colour of the outermost pixels."""
    pixels = np.asarray(picture.convert("RGB"))
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    red, green, blue = np.median(border, axis=0)
    return int(red), int(green), int(blue)
