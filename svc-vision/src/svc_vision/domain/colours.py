"""Names for colours: the nearest of a short list, in English and Portuguese."""

from __future__ import annotations

NAMED = {
    "black": (0, 0, 0), "white": (255, 255, 255), "grey": (128, 128, 128), "red": (220, 30, 30),
    "green": (0, 140, 50), "blue": (30, 70, 220), "yellow": (245, 215, 40), "orange": (245, 140, 20),
    "purple": (130, 40, 170), "pink": (245, 150, 190), "brown": (120, 75, 35), "cyan": (40, 200, 220),
}  # fmt: skip


def name_of(rgb: tuple[int, int, int]) -> str:
    """Return the nearest name by the weighted distance of compuphase.com/cmetric (redmean)."""

    def distance(other: tuple[int, int, int]) -> float:
        mean_red = (rgb[0] + other[0]) / 2
        red, green, blue = (a - b for a, b in zip(rgb, other, strict=True))
        return (2 + mean_red / 256) * red**2 + 4 * green**2 + (2 + (255 - mean_red) / 256) * blue**2

    return min(NAMED, key=lambda name: distance(NAMED[name]))
