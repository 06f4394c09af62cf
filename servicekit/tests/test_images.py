"""Pictures are decoded by their content, within a ceiling, and damage is a clear error."""

from __future__ import annotations

import base64
import io
import struct
import time
import zlib

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from servicekit.images import InvalidImage, decode, read_image


def encoded(picture: Image.Image, format_name: str, **options: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, format_name, **options)
    return out.getvalue()


RED = Image.new("RGB", (40, 20), (255, 0, 0))


@pytest.mark.parametrize("name", ["PNG", "JPEG", "WEBP", "GIF", "BMP"])
def test_every_listed_format_becomes_rgb(name: str) -> None:
    picture = decode(encoded(RED, name))
    assert picture.mode == "RGB" and picture.size == (40, 20)
    red, green, blue = picture.getpixel((5, 5))  # type: ignore[misc]
    assert red > 245 and green < 10 and blue < 10


@pytest.mark.parametrize("name", ["TIFF", "ICO", "PPM", "EPS", "PDF", "TGA"])
def test_other_formats_are_refused(name: str) -> None:
    with pytest.raises(InvalidImage, match="PNG"):
        decode(encoded(RED, name))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "I;16"])
def test_every_mode_becomes_rgb(mode: str) -> None:
    picture = (
        Image.new("I;16", (9, 7), 65535)
        if mode == "I;16"
        else Image.new("RGB", (9, 7), "white").convert(mode)
    )
    assert decode(encoded(picture, "PNG")).getpixel((3, 3)) == (255, 255, 255)


def test_transparency_is_laid_on_white() -> None:
    assert decode(encoded(Image.new("RGBA", (4, 4), (0, 0, 0, 0)), "PNG")).getpixel((0, 0)) == (255, 255, 255)


def test_the_exif_orientation_is_applied() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    assert decode(encoded(RED, "JPEG", exif=exif)).size == (20, 40)


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"BM" + b"\0" * 60, b"<svg/>"]
)
def test_what_is_no_picture_is_refused(content: bytes) -> None:
    with pytest.raises(InvalidImage):
        decode(content)


@pytest.mark.parametrize("name", ["PNG", "JPEG", "WEBP", "GIF", "BMP"])
def test_a_truncated_picture_is_refused(name: str) -> None:
    noise = Image.effect_noise((64, 64), 80).convert("RGB")
    content = encoded(noise, name)
    with pytest.raises(InvalidImage):
        decode(content[: len(content) // 2])


def png_header(width: int, height: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(b"\0" * 100_000, 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def webp_header(side: int) -> bytes:
    real = encoded(Image.new("RGBA", (2, 2), (1, 2, 3, 4)), "WEBP", lossless=True)
    canvas = (side - 1).to_bytes(3, "little")
    extended = b"VP8X" + struct.pack("<I", 10) + b"\x10\0\0\0" + canvas + canvas
    return b"RIFF" + struct.pack("<I", len(extended) + len(real) - 8) + b"WEBP" + extended + real[12:]


@pytest.mark.parametrize(
    "bomb",
    [
        png_header(50_000, 50_000),
        png_header(2**31 - 1, 2**31 - 1),
        png_header(40_000, 1),
        webp_header(16_383),
        b"GIF89a"
        + struct.pack("<HH", 65535, 65535)
        + b"\0\0\0,\0\0\0\0"
        + struct.pack("<HH", 65535, 65535)
        + b"\0\2\0;",
        b"BM"
        + struct.pack("<IHHI", 100, 0, 0, 54)
        + struct.pack("<IiiHHIIiiII", 40, 30000, 30000, 1, 24, 0, 0, 0, 0, 0, 0),
    ],
    ids=["png", "png-huge", "png-long", "webp", "gif", "bmp"],
)
def test_a_bomb_is_refused_from_its_header(bomb: bytes) -> None:
    before, started = psutil.Process().memory_info().rss, time.thread_time()
    with pytest.raises(InvalidImage):
        decode(bomb)
    assert time.thread_time() - started < 1
    assert psutil.Process().memory_info().rss - before < 32 * 2**20


def test_the_message_names_size_and_limit() -> None:
    with pytest.raises(InvalidImage, match=r"6000 x 5000 .* 25,000,000"):
        decode(png_header(6_000, 5_000))


VALID = [encoded(RED, name) for name in ("PNG", "JPEG", "WEBP", "GIF", "BMP")]


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(VALID), st.data())
def test_damaged_bytes_give_a_picture_or_the_error(content: bytes, draw: st.DataObject) -> None:
    damaged = bytearray(content)
    for _ in range(draw.draw(st.integers(1, 6))):
        damaged[draw.draw(st.integers(0, len(damaged) - 1))] = draw.draw(st.integers(0, 255))
    try:
        assert decode(bytes(damaged)).mode == "RGB"
    except InvalidImage:
        pass


async def test_a_picture_is_read_from_bytes_and_from_a_data_url() -> None:
    content = encoded(RED, "PNG")
    url = "data:image/png;base64," + base64.b64encode(content).decode()
    assert (await read_image(content)).size == (await read_image(url)).size == (40, 20)
