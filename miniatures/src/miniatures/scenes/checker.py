"""Reads a picture of a scene with classical image processing: colours, connected parts, templates.

An independent judge of what the drawing model draws: no neural nets, no words, and nothing shared
with the renderer but the palette. A part that looks like no known shape is read as "unknown".
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image
from scipy import ndimage

from miniatures.scenes.model import BACKGROUNDS, COLOURS, Scene, Shape
from miniatures.scenes.palette import RGB

SIDE = 128
TEMPLATE = 48
MIN_AREA = 0.006
MIN_OVERLAP = 0.70
MIN_STAR_OVERLAP = 0.62  # its thin tips fade away in small pictures
RING_HOLE = (0.12, 0.6)
# Upper ends of "small" and "medium", as a part of the side, by number of shapes.
SIZE_LIMITS = {1: (0.33, 0.50), 2: (0.262, 0.355)}

Pixels = np.ndarray


@dataclass(frozen=True)
class Reading:
    """What a picture shows: a scene, or why it is none of the world's scenes."""

    scene: Scene | None
    problem: str = ""


def read(image: Image.Image) -> Reading:
    """Say which scene a picture shows."""
    pixels = np.asarray(image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BICUBIC), dtype=np.float32)
    ground = _border_colour(pixels)
    background = _nearest(ground, BACKGROUNDS)
    parts = _parts(pixels, ground)
    if not 1 <= len(parts) <= 3:
        return Reading(None, f"{len(parts)} parts stand out from the background")
    found = [(_centre(mask), _shape(pixels, mask, len(parts), background)) for mask in parts]
    unknown = [shape for _, shape in found if shape.kind == "unknown"]
    if unknown:
        return Reading(None, f"a {unknown[0].colour} part looks like no shape")
    return Reading(_arranged(found, background))


def agrees(image: Image.Image, wanted: Scene) -> bool:
    """Whether the picture shows the wanted shapes, colours, sizes, places and background."""
    return read(image).scene == wanted


def agrees_on_content(image: Image.Image, wanted: Scene) -> bool:
    """Whether kinds, colours, background and order are as wanted, whatever the sizes and places."""
    scene = read(image).scene
    return scene is not None and _content(scene) == _content(wanted)


def _content(scene: Scene) -> tuple[object, ...]:
    return scene.background, tuple((shape.kind, shape.colour) for shape in scene.shapes)


def _border_colour(pixels: Pixels) -> Pixels:
    edge = np.concatenate(
        [
            pixels[:3].reshape(-1, 3),
            pixels[-3:].reshape(-1, 3),
            pixels[:, :3].reshape(-1, 3),
            pixels[:, -3:].reshape(-1, 3),
        ]
    )
    return np.median(edge, axis=0)


def _nearest(colour: Pixels, names: tuple[str, ...]) -> str:
    return min(names, key=lambda name: float(np.linalg.norm(colour - np.asarray(RGB[name]))))


def _parts(pixels: Pixels, ground: Pixels) -> list[Pixels]:
    """Masks of the connected parts that stand out from the background."""
    distance = np.linalg.norm(pixels - ground, axis=2)
    labels, count = ndimage.label(distance > 45)
    parts = []
    for index in range(1, count + 1):
        rough = labels == index
        if rough.mean() < MIN_AREA:
            continue
        # Half way between the part's own colour and the background is where its edge really is.
        contrast = float(np.percentile(distance[rough], 75))
        mask = rough & (distance > contrast / 2)
        if mask.mean() >= MIN_AREA:
            parts.append(mask)
    return parts


def _centre(mask: Pixels) -> tuple[float, float]:
    """The middle of the mask's box, as a part of the side."""
    rows, columns = ndimage.find_objects(mask.astype(int))[0]
    return (columns.start + columns.stop) / 2 / SIDE, (rows.start + rows.stop) / 2 / SIDE


def _shape(pixels: Pixels, mask: Pixels, count: int, background: str) -> Shape:
    core = ndimage.binary_erosion(mask, iterations=2)
    colour = np.median(pixels[core if core.sum() > 12 else mask], axis=0)
    name = _nearest(colour, tuple(c for c in COLOURS if c != background))
    kind, extent = _kind(mask)
    return Shape(kind or "unknown", name, _size(extent / SIDE, count))


def _kind(mask: Pixels) -> tuple[str | None, float]:
    """The shape whose template overlaps the mask best, and the mask's extent in pixels."""
    rows, columns = ndimage.find_objects(mask.astype(int))[0]
    cut = mask[rows, columns]
    height, width = cut.shape
    extent = float(max(height, width))
    if not 0.7 < width / height < 1.43:
        return None, extent
    filled = ndimage.binary_fill_holes(cut)
    hole = 1 - cut.sum() / filled.sum()
    fitted = np.asarray(Image.fromarray(filled).resize((TEMPLATE, TEMPLATE)), dtype=bool)
    overlaps = {
        kind: (fitted & template).sum() / (fitted | template).sum() for kind, template in _templates().items()
    }
    best = max(overlaps, key=lambda kind: overlaps[kind])
    if overlaps[best] < (MIN_STAR_OVERLAP if best == "star" else MIN_OVERLAP):
        return None, extent
    if hole < 0.04:
        return best, extent
    is_ring = best == "circle" and RING_HOLE[0] < hole < RING_HOLE[1]
    return ("ring" if is_ring else None), extent


@lru_cache(maxsize=1)
def _templates() -> dict[str, Pixels]:
    """Filled shapes stretched to their own boxes."""
    v, u = (np.mgrid[0:TEMPLATE, 0:TEMPLATE] + 0.5) / TEMPLATE * 2 - 1
    return {
        "circle": u**2 + v**2 <= 1,
        "square": np.ones_like(u, dtype=bool),
        "diamond": abs(u) + abs(v) <= 1,
        "triangle": 2 * abs(u) <= v + 1,
        "star": _star(u, v),
    }


def _star(u: Pixels, v: Pixels) -> Pixels:
    """A five-pointed star that fills the box from -1 to 1."""
    tips = np.array([[math.sin(math.pi * k / 5), -math.cos(math.pi * k / 5)] for k in range(10)])
    tips[1::2] *= 0.45
    low, high = tips.min(axis=0), tips.max(axis=0)
    corners = (tips - low) / (high - low) * 2 - 1
    inside = np.zeros_like(u, dtype=bool)
    for (x1, y1), (x2, y2) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        crosses = (y1 > v) != (y2 > v)
        with np.errstate(divide="ignore", invalid="ignore"):
            inside ^= crosses & (u < (x2 - x1) * (v - y1) / (y2 - y1) + x1)
    return inside


def _size(extent: float, count: int) -> str:
    if count == 3:
        return "medium"
    small, medium = SIZE_LIMITS[count]
    return "small" if extent < small else "medium" if extent < medium else "large"


def _arranged(found: list[tuple[tuple[float, float], Shape]], background: str) -> Scene:
    """Put the shapes in reading order and name their relation."""
    if len(found) == 1:
        (x, y), shape = found[0]
        return Scene((shape,), _place(x - 0.5, y - 0.5), background)
    xs, ys = [c[0] for c, _ in found], [c[1] for c, _ in found]
    sideways = max(xs) - min(xs) >= max(ys) - min(ys)
    ordered = sorted(found, key=lambda item: item[0][0 if sideways else 1])
    relation = "row" if len(found) == 3 else "left_of" if sideways else "above"
    return Scene(tuple(shape for _, shape in ordered), relation, background)


def _place(dx: float, dy: float) -> str:
    if max(abs(dx), abs(dy)) < 0.1:
        return "centre"
    if abs(dx) >= abs(dy):
        return "left" if dx < 0 else "right"
    return "top" if dy < 0 else "bottom"
