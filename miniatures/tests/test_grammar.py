"""The grammar says scenes in both languages with agreement."""

import random

from miniatures.scenes.grammar import LANGUAGES, canonical, captions
from miniatures.scenes.model import Scene, Shape, random_scene


def test_one_large_shape_in_the_centre_is_said_plainly() -> None:
    scene = Scene((Shape("circle", "red", "large"),), "centre", "blue")
    assert canonical(scene, "en") == "a large red circle on a blue background"
    assert canonical(scene, "pt") == "um círculo vermelho grande sobre um fundo azul"


def test_feminine_shapes_take_feminine_articles_and_colours() -> None:
    scene = Scene((Shape("square", "red"), Shape("star", "purple", "small")), "left_of", "white")
    assert canonical(scene, "en") == "a red square to the left of a small purple star on a white background"
    assert (
        canonical(scene, "pt")
        == "um quadrado vermelho à esquerda de uma estrela roxa pequena sobre um fundo branco"
    )


def test_two_equal_shapes_can_be_said_in_the_plural() -> None:
    star = Shape("star", "yellow", "large")
    scene = Scene((star, star), "above", "black")
    assert "two large yellow stars, one above the other on a black background" in captions(scene, "en")
    assert "duas estrelas amarelas grandes, uma acima da outra sobre um fundo preto" in captions(scene, "pt")


def test_colours_that_are_nouns_do_not_bend() -> None:
    ring = Shape("ring", "orange")
    scene = Scene((ring, ring, ring), "row", "grey")
    assert "três anéis laranja em fila sobre um fundo cinza" in captions(scene, "pt")
    assert canonical(scene, "en").startswith("an orange ring, an orange ring and an orange ring in a row")


def test_every_scene_has_its_own_canonical_sentence() -> None:
    rng = random.Random(1)
    scenes = {random_scene(rng) for _ in range(5000)}
    for language in LANGUAGES:
        assert len({canonical(scene, language) for scene in scenes}) == len(scenes)


def test_no_wording_stands_for_two_scenes() -> None:
    rng = random.Random(2)
    for language in LANGUAGES:
        owner: dict[str, Scene] = {}
        for _ in range(3000):
            scene = random_scene(rng)
            for text in captions(scene, language):
                assert owner.setdefault(text, scene) == scene, text
