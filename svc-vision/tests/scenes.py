"""A picture of the miniatures' world, as a call sends it."""

from __future__ import annotations

import io

from PIL import Image, ImageDraw


def picture() -> dict:
    """Return the multipart field of a red circle on a blue background."""
    image = Image.new("RGB", (96, 96), (40, 70, 200))
    ImageDraw.Draw(image).ellipse((20, 20, 76, 76), fill=(210, 30, 30))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return {"files": {"image": ("scene.png", buffer.getvalue(), "image/png")}}
