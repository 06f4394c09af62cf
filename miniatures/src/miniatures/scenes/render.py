"""Draws a scene as a picture and says where each shape is.

Owns places, sizes, shades and anti-aliasing. Knows nothing about words, and nothing about reading a
picture back (checker.py has its own idea of what a shape looks like).
"""

import io
import math
import random
from dataclasses import dataclass

from PIL import Image, ImageDraw

from miniatures.scenes.model import Scene, Shape
from miniatures.scenes.palette import RGB

SUPERSAMPLING = 4
SHADE_JITTER = 10
# Diameter as a part of the picture's side, by number of shapes. The ranges of two sizes never touch.
DIAMETERS = {
    1: {"small": (0.24, 0.28), "medium": (0.38, 0.44), "large": (0.56, 0.62)},
    2: {"small": (0.20, 0.23), "medium": (0.295, 0.325), "large": (0.395, 0.425)},
    3: {"medium": (0.24, 0.27)},
}
CENTRES = {
    "centre": (0.5, 0.5),
    "left": (0.32, 0.5),
    "right": (0.68, 0.5),
    "top": (0.5, 0.32),
    "bottom": (0.5, 0.68),
}
FIRST, SECOND = 0.265, 0.735
ROW_CENTRES = (0.18, 0.5, 0.82)

Point = tuple[float, float]


@dataclass(frozen=True)
class Box:
    """Where a shape is, in pixels: left, top, right, bottom."""

    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True)
class Picture:
    """A drawn scene; `boxes` are in the order of the scene's shapes."""

    scene: Scene
    image: Image.Image
    boxes: tuple[Box, ...]


def render(scene: Scene, rng: random.Random, size: int = 64, jitter: float = 1.0) -> Picture:
    """Draw `scene` as a square picture of `size` pixels; `jitter` 0 draws it the same every time."""
    side = size * SUPERSAMPLING
    image = Image.new("RGB", (side, side), _shade(scene.background, rng, jitter))
    pen = ImageDraw.Draw(image)
    boxes = []
    for shape, (x, y) in zip(scene.shapes, _centres(scene), strict=True):
        low, high = DIAMETERS[len(scene.shapes)][shape.size]
        diameter = (low + high) / 2 + jitter * rng.uniform(-0.5, 0.5) * (high - low)
        # Fewer shapes leave more room to move without leaving the slot.
        room = 0.03 if len(scene.shapes) == 1 else 0.015
        centre = (x + jitter * rng.uniform(-room, room), y + jitter * rng.uniform(-room, room))
        turn = jitter * rng.uniform(-3, 3)
        boxes.append(_draw(pen, shape, centre, diameter, turn, side, _shade(shape.colour, rng, jitter)))
    scale = 1 / SUPERSAMPLING
    scaled = tuple(Box(b.left * scale, b.top * scale, b.right * scale, b.bottom * scale) for b in boxes)
    return Picture(scene, image.reduce(SUPERSAMPLING), scaled)


def with_jpeg_noise(image: Image.Image, rng: random.Random) -> Image.Image:
    """The picture as a JPEG of a random quality would show it."""
    buffer = io.BytesIO()
    # Halved colour resolution would melt the corners of a small picture's shapes: there it is kept whole.
    subsampling = 0 if image.width < 128 else rng.choice((0, 2))
    image.save(buffer, "JPEG", quality=rng.randint(40, 95), subsampling=subsampling)
    return Image.open(io.BytesIO(buffer.getvalue())).convert("RGB")


def _centres(scene: Scene) -> list[Point]:
    if scene.relation == "left_of":
        return [(FIRST, 0.5), (SECOND, 0.5)]
    if scene.relation == "above":
        return [(0.5, FIRST), (0.5, SECOND)]
    if scene.relation == "row":
        return [(x, 0.5) for x in ROW_CENTRES]
    return [CENTRES[scene.relation]]


def _shade(colour: str, rng: random.Random, jitter: float) -> tuple[int, ...]:
    spread = SHADE_JITTER * jitter
    return tuple(min(255, max(0, round(v + rng.uniform(-spread, spread)))) for v in RGB[colour])


def _draw(
    pen: ImageDraw.ImageDraw,
    shape: Shape,
    centre: Point,
    diameter: float,
    turn: float,
    side: int,
    fill: tuple[int, ...],
) -> Box:
    """Draw one shape in the supersampled picture and return its box there."""
    x, y, radius = centre[0] * side, centre[1] * side, diameter * side / 2
    if shape.kind in ("circle", "ring"):
        box = (x - radius, y - radius, x + radius, y + radius)
        if shape.kind == "circle":
            pen.ellipse(box, fill=fill)
        else:
            # Only the band is painted, so the background shows through the hole.
            pen.ellipse(box, outline=fill, width=max(1, round(radius * 0.42)))
        return Box(*box)
    angle = math.radians(turn)
    cos, sin = math.cos(angle), math.sin(angle)
    points = [
        (x + radius * (px * cos - py * sin), y + radius * (px * sin + py * cos))
        for px, py in _outline(shape.kind)
    ]
    pen.polygon(points, fill=fill)
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    # The tip of a large star may leave the picture by a hair.
    return Box(max(0, min(xs)), max(0, min(ys)), min(side, max(xs)), min(side, max(ys)))


def _outline(kind: str) -> list[Point]:
    """The corners of a shape in a circle of radius 1 around the origin, y downwards."""
    if kind == "square":
        return [(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)]
    if kind == "diamond":
        return [(0, -1), (1, 0), (0, 1), (-1, 0)]
    if kind == "triangle":
        return [(0, -0.95), (1, 0.85), (-1, 0.85)]
    if kind == "star":
        corners = []
        for index in range(10):
            reach = 1.12 if index % 2 == 0 else 0.5
            angle = math.pi * index / 5 - math.pi / 2
            corners.append((reach * math.cos(angle), reach * math.sin(angle) + 0.08))
        return corners
    raise ValueError(f"no outline for the shape {kind!r}")
