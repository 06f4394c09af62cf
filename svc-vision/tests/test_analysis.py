"""What is said of a picture by its pixels."""

import io

import numpy as np
import pytest
from PIL import Image

from svc_vision.domain.analysis import BINS, analyse, dominant_colours, pixel_mean
from svc_vision.domain.colours import name_of
from svc_vision.domain.vision import classes_of, clip
from svc_vision.engine.base import Detection


def as_file(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.fixture
def half_red() -> Image.Image:
    image = Image.new("RGB", (100, 50), "white")
    image.paste((255, 0, 0), (0, 0, 60, 50))
    return image


def test_the_mean_is_numpys(half_red: Image.Image) -> None:
    assert pixel_mean(half_red) == pytest.approx(np.asarray(half_red).mean())


def test_means_and_histogram_agree_with_the_pixels(half_red: Image.Image) -> None:
    made = analyse(half_red, as_file(half_red))
    assert (made.width, made.height, made.mode, made.format) == (100, 50, "RGB", "PNG")
    assert made.channel_means == {"red": 255.0, "green": 102.0, "blue": 102.0}
    assert all(len(counts) == BINS and sum(counts) == 5000 for counts in made.histogram.values())
    assert made.histogram["green"][0] == 3000
    assert made.histogram["green"][-1] == 2000


def test_dominant_colours_are_named_and_the_widest_comes_first(half_red: Image.Image) -> None:
    red, white = dominant_colours(half_red)[:2]
    assert (red.name, red.hex, red.share) == ("red", "#ff0000", pytest.approx(0.6, abs=0.02))
    assert white.name == "white"


@pytest.mark.parametrize(
    ("rgb", "name"), [((10, 10, 10), "black"), ((250, 150, 10), "orange"), ((0, 0, 255), "blue")]
)
def test_colours_have_the_nearest_name(rgb: tuple[int, int, int], name: str) -> None:
    assert name_of(rgb) == name


def test_exif_tells_the_camera_and_never_the_place() -> None:
    exif = Image.Exif()
    exif[0x010F] = "Oficina Camera"
    exif.get_ifd(0x8825)[2] = (8.0, 3.0, 0.0)
    ifd = exif.get_ifd(0x8769)
    ifd[0x927C] = b"secret maker note"
    ifd[0xA431] = "serial-123"
    ifd[0x829D] = 2.8
    image = Image.new("RGB", (8, 8))
    made = analyse(image, as_file(image, "JPEG", exif=exif))
    assert made.exif["Make"] == "Oficina Camera"
    assert made.exif["FNumber"] == 2.8
    assert set(made.exif) <= {"Make", "FNumber", "Orientation"}


def test_the_mode_is_that_of_the_file() -> None:
    grey = Image.new("L", (8, 8), 100)
    made = analyse(grey.convert("RGB"), as_file(grey))
    assert (made.mode, made.mean) == ("L", 100.0)


def test_a_box_outside_the_picture_is_no_detection() -> None:
    assert clip((50, 50, 60, 60), 40, 40) is None
    assert clip((-5, 10, 50, 60), 40, 40) == (0, 10, 40, 40)


def test_a_class_counts_once_with_its_best_score() -> None:
    box = (0.0, 0.0, 1.0, 1.0)
    found = (Detection("b", 0.4, box), Detection("a", 0.6, box), Detection("b", 0.8, box))
    assert [(c.label, c.score) for c in classes_of(found)] == [("b", 0.8), ("a", 0.6)]
