"""The built-in model draws what is asked for, through the same engine as any Stable Diffusion."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest

from miniatures.draw.evaluate import held_out_prompts
from miniatures.scenes import checker
from miniatures.scenes.model import Scene, Shape
from servicekit.timing import Timing
from svc_image_gen.engine.base import SCHEDULERS, DrawRequest
from svc_image_gen.engine.diffusers_engine import DiffusersEngine, LoadOptions, installed_from
from svc_image_gen.engine.scaling import fitted
from svc_image_gen.settings import Settings

FOLDER = Settings().builtin_model_path
PROMPTS = 50
LEAST_AGREED = 0.9
PROMPT = "um círculo vermelho grande sobre um fundo azul"
pytestmark = [pytest.mark.model, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def engine() -> Iterator[DiffusersEngine]:
    engine = DiffusersEngine(installed_from(FOLDER, builtin=True), FOLDER, LoadOptions())
    yield engine
    engine.close()


def request(engine: DiffusersEngine, **changes: object) -> DrawRequest:
    fields: dict[str, object] = {
        "prompt": PROMPT,
        "negative_prompt": "",
        "width": 256,
        "height": 256,
        "steps": engine.recommended.steps,
        "guidance_scale": engine.recommended.guidance_scale,
        "seed": 7,
    }
    return DrawRequest(**(fields | changes))  # type: ignore[arg-type]


def test_a_large_red_circle_on_a_blue_background_is_drawn(engine: DiffusersEngine) -> None:
    wanted = Scene((Shape("circle", "red", "large"),), "centre", "blue")
    drawings = [engine.draw(request(engine, seed=seed), lambda *_: None, Timing()) for seed in (7, 8, 9)]
    readings = [checker.read(drawing.image) for drawing in drawings]
    assert sum(checker.agrees_on_content(drawing.image, wanted) for drawing in drawings) >= 2, readings


def test_what_held_out_prompts_ask_for_is_drawn_in_both_languages(engine: DiffusersEngine) -> None:
    asked = held_out_prompts(PROMPTS, seed=30, shapes=(1, 2))
    missed = []
    for index, (scene, prompt) in enumerate(asked):
        drawing = engine.draw(
            request(engine, prompt=prompt, seed=index, width=64, height=64), lambda *_: None, Timing()
        )
        if not checker.agrees_on_content(drawing.image, scene):
            missed.append(prompt)
    assert len(missed) <= PROMPTS * (1 - LEAST_AGREED), missed


def test_a_size_that_the_model_does_not_draw_in_is_reached_by_enlarging(engine: DiffusersEngine) -> None:
    drawing = engine.draw(request(engine, width=320, height=192, steps=2), lambda *_: None, Timing())
    assert drawing.image.size == (320, 192) and drawing.native_size == (64, 64)


def test_the_same_seed_draws_the_same_picture(engine: DiffusersEngine) -> None:
    first, again, other = (
        np.asarray(engine.draw(request(engine, steps=4, seed=seed), lambda *_: None, Timing()).image)
        for seed in (1, 1, 2)
    )
    assert (first == again).all() and (first != other).any()


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_every_scheduler_draws_and_tells_its_steps_with_previews(
    engine: DiffusersEngine, scheduler: str
) -> None:
    steps: list[int] = []
    previews = []

    def on_step(step: int, preview: object) -> None:
        steps.append(step)
        previews.append(preview())  # type: ignore[operator]

    drawing = engine.draw(request(engine, steps=4, scheduler=scheduler), on_step, Timing())
    assert steps == [1, 2, 3, 4] and all(picture.width == 256 for picture in previews)
    assert np.asarray(drawing.image).std() > 0


def test_choosing_a_scheduler_once_does_not_change_the_next_picture(engine: DiffusersEngine) -> None:
    own = np.asarray(engine.draw(request(engine, steps=4), lambda *_: None, Timing()).image)
    engine.draw(request(engine, steps=4, scheduler="euler"), lambda *_: None, Timing())
    again = np.asarray(engine.draw(request(engine, steps=4), lambda *_: None, Timing()).image)
    assert (own == again).all()


def test_what_a_step_raises_ends_the_drawing_and_the_engine_draws_on(engine: DiffusersEngine) -> None:
    class Left(Exception):
        pass

    told = threading.Event()

    def leave(step: int, preview: object) -> None:
        told.set()
        raise Left

    with pytest.raises(Left):
        engine.draw(request(engine), leave, Timing())
    assert told.is_set() and engine.slot.users == 0
    engine.draw(request(engine, steps=1), lambda *_: None, Timing())


def test_timing_tells_loading_from_drawing(engine: DiffusersEngine) -> None:
    timing = Timing()
    engine.draw(request(engine, steps=1), lambda *_: None, timing)
    assert timing.as_dict()["run_ms"] > 0 and timing.as_dict()["load_ms"] < 1000


def test_a_wide_picture_is_filled_with_the_border_colour() -> None:
    from PIL import Image

    square = Image.new("RGB", (64, 64), (0, 0, 200))
    square.paste((255, 0, 0), (24, 24, 40, 40))
    wide = fitted(square, 512, 256)
    assert wide.size == (512, 256) and wide.getpixel((5, 128)) == (0, 0, 200)
    assert wide.getpixel((256, 128)) == (255, 0, 0)
