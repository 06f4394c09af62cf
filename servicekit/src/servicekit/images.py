"""Decoding pictures that strangers send.

Owns the list of formats, the pixel ceiling and the error. Knows nothing about models. The format is
decided by the content alone; the size is read from the header before a pixel is decoded.
"""

from __future__ import annotations

import io
import struct
import warnings
from collections.abc import Iterable

import anyio.to_thread
from PIL import Image, ImageOps

from servicekit.errors import BadRequest
from servicekit.fetch import fetch

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
MAX_PIXELS = 25_000_000
MAX_SIDE = 32_768
MAX_BYTES = 20 * 1024 * 1024


class InvalidImage(BadRequest):
    """The bytes are not a picture that can be read here."""

    code = "invalid_image"


def decode(content: bytes, *, max_pixels: int = MAX_PIXELS, param: str | None = "image") -> Image.Image:
    """Decode to RGB, upright by its EXIF orientation; transparency is laid on white.

    Of an animation the first picture is taken. Blocks for up to about a second: call it in a thread.

    Raises:
        InvalidImage: not one of FORMATS, damaged, truncated, or over `max_pixels`.
    """
    if not content:
        raise InvalidImage(f"The picture is empty. Send one of {', '.join(FORMATS)}.", param=param)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's own bomb warning: the ceiling below is stricter
            with Image.open(io.BytesIO(content), formats=FORMATS) as picture:
                _check_size(picture.size, max_pixels, param)
                return _rgb(picture)
    except BadRequest:
        raise
    except Image.DecompressionBombError as exc:  # Pillow's own ceiling, far above ours, comes first
        raise InvalidImage(
            f"The picture has more than {max_pixels:,} pixels, the most that is read. Send a smaller one.",
            param=param,
        ) from exc
    except (
        OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError,
        struct.error, OverflowError, MemoryError, ZeroDivisionError,
    ) as exc:  # fmt: skip
        # Pillow's decoders raise whatever the damage happens to hit.
        raise InvalidImage(
            f"The {len(content)} bytes are not a picture that can be read. "
            f"Send a complete {', '.join(FORMATS)} file.",
            param=param,
        ) from exc


async def read_image(
    source: str | bytes,
    *,
    max_bytes: int = MAX_BYTES,
    timeout_s: float = 10.0,
    allow_hosts: Iterable[str] = (),
    param: str | None = "image_url",
) -> Image.Image:
    """Read a picture from its bytes, or from an http, https or data URL.

    Raises:
        InvalidImage: as `decode`. UrlNotAllowed and its siblings: as `fetch`.
    """
    if isinstance(source, str):
        fetched = await fetch(
            source,
            max_bytes=max_bytes,
            timeout_s=timeout_s,
            allow_hosts=allow_hosts,
            media_types=("image/*",),
            param=param,
        )
        source = fetched.content
    content = source
    return await anyio.to_thread.run_sync(lambda: decode(content, param=param))


def _check_size(size: tuple[int, int], max_pixels: int, param: str | None) -> None:
    width, height = size
    if width * height > max_pixels or max(width, height) > MAX_SIDE:
        raise InvalidImage(
            f"The picture has {width} x {height} pixels; at most {max_pixels:,} pixels "
            f"and {MAX_SIDE:,} a side are read. Send a smaller one.",
            param=param,
        )
    if width < 1 or height < 1:
        raise InvalidImage("The picture has no pixels. Send another one.", param=param)


def _rgb(picture: Image.Image) -> Image.Image:
    if picture.mode in ("I;16", "I;16B", "I", "F"):
        picture = picture.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    upright = ImageOps.exif_transpose(picture)
    if upright.mode in ("RGBA", "LA", "PA") or "transparency" in upright.info:
        layered = upright.convert("RGBA")
        white = Image.new("RGBA", layered.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, layered).convert("RGB")
    rgb = upright.convert("RGB")
    rgb.load()
    return rgb
