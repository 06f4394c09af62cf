"""Scenes: one to three coloured shapes on a plain background.

Owns what a scene is, how one is drawn at random and which scenes no miniature may train on.
Knows nothing about pixels (render.py) or words (grammar.py).
"""

import hashlib
import random
from dataclasses import dataclass

SHAPES = ("circle", "square", "triangle", "star", "ring", "diamond")
COLOURS = ("red", "blue", "green", "yellow", "black", "white", "orange", "purple")
BACKGROUNDS = ("white", "blue", "black", "green", "yellow", "grey")
SIZES = ("small", "medium", "large")
POSITIONS = ("centre", "left", "right", "top", "bottom")
RELATIONS = ("left_of", "above")
ROW = "row"
MAX_SHAPES = 3
HELD_OUT_PERCENT = 10


@dataclass(frozen=True)
class Shape:
    """One shape. The size "medium" is never said in a caption."""

    kind: str
    colour: str
    size: str = "medium"


@dataclass(frozen=True)
class Scene:
    """Shapes in reading order (left to right, or top to bottom).

    `relation` is a position for one shape ("centre" is never said), "left_of" or "above" (the first
    shape is left of, or above, the second) for two, and "row" for three.
    """

    shapes: tuple[Shape, ...]
    relation: str
    background: str


def relations_for(n_shapes: int) -> tuple[str, ...]:
    """The relations a scene of so many shapes can have."""
    if n_shapes == 1:
        return POSITIONS
    return RELATIONS if n_shapes == 2 else (ROW,)


def random_scene(rng: random.Random, n_shapes: int | None = None) -> Scene:
    """Draw a scene; it may be a held-out one, which a trainer must skip (see `is_held_out`)."""
    count = n_shapes if n_shapes is not None else rng.choices((1, 2, 3), weights=(40, 45, 15))[0]
    background = rng.choice(BACKGROUNDS)
    colours = [colour for colour in COLOURS if colour != background]
    shapes = tuple(
        # Three shapes share a row and have no room to differ in size.
        Shape(rng.choice(SHAPES), rng.choice(colours), rng.choice(SIZES) if count < 3 else "medium")
        for _ in range(count)
    )
    relations = relations_for(count)
    # A single shape stands in the centre half of the time: that is what people ask for most.
    relation = "centre" if count == 1 and rng.random() < 0.5 else rng.choice(relations)
    return Scene(shapes, relation, background)


def training_scene(rng: random.Random, n_shapes: int | None = None) -> Scene:
    """Draw a scene that may be trained on."""
    while is_held_out(scene := random_scene(rng, n_shapes)):
        pass
    return scene


def held_out_scene(rng: random.Random, n_shapes: int | None = None) -> Scene:
    """Draw a scene that no miniature has trained on."""
    while not is_held_out(scene := random_scene(rng, n_shapes)):
        pass
    return scene


def is_held_out(scene: Scene) -> bool:
    """Whether the combination of kinds, colours and background is kept for measuring.

    The order, sizes and places of the shapes do not count, so that no rearrangement of a held-out
    scene is ever trained on. A digest, not `hash`, because the split must be the same in every run.
    """
    parts = sorted(f"{shape.colour} {shape.kind}" for shape in scene.shapes)
    digest = hashlib.sha256("|".join([*parts, scene.background]).encode()).digest()
    return int.from_bytes(digest[:4], "big") % 100 < HELD_OUT_PERCENT
