"""The built-in model draws on from pictures, through the same engine as any Stable Diffusion."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from miniatures.scenes import checker
from miniatures.scenes.model import Scene, Shape
from servicekit.timing import Timing
from svc_image_gen.engine.base import SCHEDULERS, DrawRequest, Source
from svc_image_gen.engine.diffusers_engine import DiffusersEngine, LoadOptions, installed_from
from svc_image_gen.settings import Settings
from tests.random_pipelines import Kind, make

FOLDER = Settings().builtin_model_path
SQUARE = Scene((Shape("square", "green", "large"),), "centre", "blue")
pytestmark = [pytest.mark.model, pytest.mark.timeout(600)]


def circle(width: int = 256, height: int = 256) -> Image.Image:
    """A large red circle on a blue background."""
    image = Image.new("RGB", (width, height), (34, 83, 215))
    box = (width // 2 - 75, height // 2 - 75, width // 2 + 75, height // 2 + 75)
    ImageDraw.Draw(image).ellipse(box, fill=(214, 32, 40))
    return image


@pytest.fixture(scope="module")
def engine() -> Iterator[DiffusersEngine]:
    engine = DiffusersEngine(installed_from(FOLDER, builtin=True), FOLDER, LoadOptions())
    yield engine
    engine.close()


def asked(source: Source, prompt: str = "a large green square on a blue background") -> DrawRequest:
    width, height = source.image.size
    return DrawRequest(prompt, "", width, height, 10, 1.5, 7, source=source)


def drawn(engine: DiffusersEngine, request: DrawRequest) -> tuple[Image.Image, list[int]]:
    steps: list[int] = []
    image = engine.draw(request, lambda step, preview: steps.append(step), Timing()).image
    return image, steps


def test_a_picture_becomes_what_the_prompt_says(engine: DiffusersEngine) -> None:
    found = [drawn(engine, replace(asked(Source(circle(), 0.8)), seed=seed))[0] for seed in (7, 8, 9)]
    assert sum(checker.agrees_on_content(image, SQUARE) for image in found) >= 2


def test_a_little_strength_leaves_the_picture_nearly_as_it_is(engine: DiffusersEngine) -> None:
    image, steps = drawn(engine, asked(Source(circle(), 0.1), prompt=""))
    difference = np.abs(np.asarray(image, np.float32) - np.asarray(circle(), np.float32)).mean()
    assert difference < 20
    assert steps == [10]  # of ten steps nine are left out


def test_what_the_mask_keeps_stays_to_the_pixel(engine: DiffusersEngine) -> None:
    mask = Image.new("L", (256, 256), 0)
    mask.paste(255, (32, 32, 224, 224))
    image, steps = drawn(engine, asked(Source(circle(), 1.0, mask)))
    kept = np.asarray(mask) == 0
    assert (np.asarray(image)[kept] == np.asarray(circle())[kept]).all()
    assert checker.agrees_on_content(image, SQUARE)
    assert steps == list(range(1, 11))


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_every_scheduler_goes_on_from_a_picture(engine: DiffusersEngine, scheduler: str) -> None:
    mask = Image.new("L", (128, 64), 255)
    request = replace(asked(Source(circle(128, 64), 0.7, mask)), scheduler=scheduler)
    image, steps = drawn(engine, request)
    assert image.size == (128, 64)
    assert steps[-1] == 10


@pytest.mark.parametrize("kind", ["sd", "lcm", "turbo", "xl-turbo"])
def test_every_kind_of_pipeline_goes_on_from_a_picture(kind: Kind, tmp_path: Path) -> None:
    folder = make(kind, tmp_path / kind, half=kind == "turbo")
    engine = DiffusersEngine(installed_from(folder, builtin=False), folder, LoadOptions())
    mask = Image.new("L", (64, 64), 0)
    mask.paste(255, (0, 0, 32, 64))
    steps = engine.recommended.steps
    try:
        for source in (Source(circle(64, 64), 0.5), Source(circle(64, 64), 1.0, mask)):
            request = DrawRequest(
                "um gato", "", 64, 64, steps, engine.recommended.guidance_scale, 3, source=source
            )
            image, told = drawn(engine, request)
            assert image.size == (64, 64)
            assert told[-1] == steps
    finally:
        engine.close()
    assert (np.asarray(image)[:, 32:] == np.asarray(circle(64, 64))[:, 32:]).all()


def test_a_wide_picture_keeps_its_shape(engine: DiffusersEngine) -> None:
    image, _ = drawn(engine, asked(Source(circle(384, 192), 0.1), prompt=""))
    red = np.asarray(image)[:, :, 0] > 150
    width, height = np.ptp(np.nonzero(red.any(axis=0))[0]), np.ptp(np.nonzero(red.any(axis=1))[0])
    assert width == pytest.approx(height, rel=0.25)


def test_the_same_request_gives_the_same_picture(engine: DiffusersEngine) -> None:
    one, two = (drawn(engine, asked(Source(circle(64, 64), 0.8)))[0] for _ in range(2))
    assert one.tobytes() == two.tobytes()
