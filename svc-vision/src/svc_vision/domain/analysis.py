"""What can be said of a picture by its pixels alone.

Owns means, histogram, dominant colours and the harmless part of EXIF. Knows nothing about models.
Everything blocks; a picture of 25 Mpx takes about a second.
"""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import ExifTags, Image

from svc_vision.domain.colours import name_of

BINS = 32
DOMINANT = 5
_THUMBNAIL_SIDE = 128
_MAX_EXIF_CHARS = 200
# A list of what is told, not of what is hidden: place, serial numbers, owner names, thumbnails and the
# makers' own notes cannot slip through.
_TOLD = frozenset(
    [
        "Make",
        "Model",
        "Software",
        "DateTime",
        "DateTimeOriginal",
        "DateTimeDigitized",
        "Orientation",
        "XResolution",
        "YResolution",
        "ResolutionUnit",
        "ExposureTime",
        "FNumber",
        "ISOSpeedRatings",
        "PhotographicSensitivity",
        "FocalLength",
        "FocalLengthIn35mmFilm",
        "Flash",
        "WhiteBalance",
        "ExposureProgram",
        "ExposureMode",
        "MeteringMode",
        "ColorSpace",
        "LensMake",
        "LensModel",
        "ApertureValue",
        "ShutterSpeedValue",
        "BrightnessValue",
        "ExposureBiasValue",
    ]
)


@dataclass(frozen=True)
class DominantColour:
    """One of the main colours; `share` of the pixels, from 0 to 1."""

    rgb: tuple[int, int, int]
    hex: str
    name: str
    share: float


@dataclass(frozen=True)
class Analysis:
    """Numbers about one picture. `histogram` counts pixels in BINS equal bins of 0 to 255."""

    width: int
    height: int
    mode: str
    format: str | None
    mean: float
    channel_means: dict[str, float]
    histogram: dict[str, list[int]]
    dominant_colours: tuple[DominantColour, ...]
    exif: dict[str, Any]


def pixel_mean(image: Image.Image) -> float:
    """Return the mean over all pixels and channels of an RGB picture, 0 to 255."""
    return float(np.asarray(image, dtype=np.uint8).mean())


def analyse(image: Image.Image, content: bytes) -> Analysis:
    """Analyse an RGB picture; `content` are the bytes it was decoded from (mode, format, EXIF)."""
    pixels = np.asarray(image, dtype=np.uint8)  # (H, W, 3)
    channels = ("red", "green", "blue")
    means = {name: round(float(pixels[:, :, i].mean()), 4) for i, name in enumerate(channels)}
    counts = {name: _histogram(pixels[:, :, i]) for i, name in enumerate(channels)}
    mode, kind, exif = _header(content)
    return Analysis(
        width=image.width,
        height=image.height,
        mode=mode,
        format=kind,
        mean=round(pixel_mean(image), 4),
        channel_means=means,
        histogram=counts,
        dominant_colours=dominant_colours(image),
        exif=exif,
    )


def dominant_colours(image: Image.Image, count: int = DOMINANT) -> tuple[DominantColour, ...]:
    """Return up to `count` main colours, the widest first (median cut on a thumbnail)."""
    small = image.copy()
    small.thumbnail((_THUMBNAIL_SIDE, _THUMBNAIL_SIDE), Image.Resampling.NEAREST)
    flat = small.quantize(count, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    palette = flat.getpalette() or []
    total = small.width * small.height
    found: dict[tuple[int, int, int], int] = {}
    for amount, index in flat.getcolors() or []:
        assert isinstance(index, int)
        red, green, blue = palette[3 * index : 3 * index + 3]
        found[red, green, blue] = found.get((red, green, blue), 0) + amount
    ranked = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    return tuple(
        DominantColour(rgb, "#{:02x}{:02x}{:02x}".format(*rgb), name_of(rgb), round(amount / total, 4))
        for rgb, amount in ranked
    )


def _histogram(channel: np.ndarray) -> list[int]:
    counts = np.bincount(channel.ravel(), minlength=256)
    return [int(n) for n in counts.reshape(BINS, -1).sum(axis=1)]


def _header(content: bytes) -> tuple[str, str | None, dict[str, Any]]:
    """Read mode, format and EXIF without decoding pixels; the picture is known to be readable."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(io.BytesIO(content)) as picture:
            try:
                return picture.mode, picture.format, _exif(picture)
            except (OSError, SyntaxError, ValueError, TypeError, KeyError):
                return picture.mode, picture.format, {}  # damaged EXIF in a good picture


def _exif(picture: Image.Image) -> dict[str, Any]:
    exif = picture.getexif()
    rows = {**exif, **exif.get_ifd(ExifTags.IFD.Exif)}
    told = {}
    for tag, value in rows.items():
        name = ExifTags.TAGS.get(tag, "")
        plain = _plain(value) if name in _TOLD else None
        if plain is not None:
            told[name] = plain
    return dict(sorted(told.items()))


def _plain(value: Any) -> Any:
    """Return a JSON value, or None for what cannot be told as one."""
    if isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        return value.strip("\x00 ")[:_MAX_EXIF_CHARS]
    try:
        number = float(value)  # IFDRational
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return round(number, 6) if np.isfinite(number) else None
