"""The shared world: scenes are drawn as said, read back by the checker, and split for measuring."""

import random
from dataclasses import replace

import pytest

from miniatures.scenes.checker import agrees, read
from miniatures.scenes.model import (
    Scene,
    Shape,
    held_out_scene,
    is_held_out,
    random_scene,
    training_scene,
)
from miniatures.scenes.render import render, with_jpeg_noise

FLAGSHIP = Scene((Shape("circle", "red", "large"),), "centre", "blue")


def test_a_scene_never_hides_a_shape_in_its_background() -> None:
    rng = random.Random(1)
    scenes = [random_scene(rng) for _ in range(500)]
    assert all(shape.colour != scene.background for scene in scenes for shape in scene.shapes)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_about_a_tenth_of_the_scenes_is_held_out(count: int) -> None:
    rng = random.Random(2)
    held_out = sum(is_held_out(random_scene(rng, count)) for _ in range(2000))
    assert 0.05 < held_out / 2000 < 0.15


def test_the_split_ignores_order_sizes_and_places() -> None:
    rng = random.Random(3)
    scene = held_out_scene(rng, 2)
    turned = Scene(scene.shapes[::-1], "above", scene.background)
    resized = replace(scene, shapes=tuple(replace(shape, size="small") for shape in scene.shapes))
    assert is_held_out(turned)
    assert is_held_out(resized)
    assert not is_held_out(training_scene(rng, 2))


@pytest.mark.parametrize("size", [64, 96, 128, 512])
def test_the_checker_reads_what_the_renderer_drew(size: int) -> None:
    rng = random.Random(size)
    count = 100 if size <= 128 else 6
    right = 0
    for _ in range(count):
        scene = random_scene(rng)
        right += agrees(with_jpeg_noise(render(scene, rng, size).image, rng), scene)
    assert right / count >= 0.99


def test_the_checker_names_every_part_of_the_flagship_scene() -> None:
    assert read(render(FLAGSHIP, random.Random(0), 64).image).scene == FLAGSHIP


def test_the_checker_does_not_take_one_scene_for_another() -> None:
    rng = random.Random(4)
    picture = render(FLAGSHIP, rng, 64).image
    for other in (
        replace(FLAGSHIP, background="green"),
        replace(FLAGSHIP, shapes=(Shape("square", "red", "large"),)),
        replace(FLAGSHIP, shapes=(Shape("circle", "orange", "large"),)),
        replace(FLAGSHIP, shapes=(Shape("circle", "red", "small"),)),
        replace(FLAGSHIP, relation="left"),
    ):
        assert not agrees(picture, other)


def test_the_checker_says_why_a_picture_shows_no_scene() -> None:
    reading = read(render(FLAGSHIP, random.Random(0), 64).image.crop((0, 0, 8, 8)))
    assert reading.scene is None
    assert "0 parts" in reading.problem


def test_boxes_hold_their_shapes_and_stay_inside_the_picture() -> None:
    rng = random.Random(5)
    for _ in range(100):
        picture = render(random_scene(rng), rng, 128)
        assert len(picture.boxes) == len(picture.scene.shapes)
        for box in picture.boxes:
            assert 0 <= box.left < box.right <= 128
            assert 0 <= box.top < box.bottom <= 128


def test_the_same_seed_draws_the_same_picture() -> None:
    first, second = (render(FLAGSHIP, random.Random(7), 64).image for _ in range(2))
    assert first.tobytes() == second.tobytes()
