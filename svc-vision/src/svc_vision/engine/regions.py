"""Reads the places that Florence-2 writes between its words.

The model writes "red car" and then four place tokens `<loc_0>` to `<loc_999>` for each box (left, top, right, bottom) or
eight for each line of writing (the corners x, y); a place is a thousandth of the picture's side. Pure text work.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

PLACES = 1000
_PLACE = re.compile(r"<loc_(\d{1,3})>")
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Region:
    """Words and the places that follow them; `sureness` is the geometric mean of the words' probabilities."""

    words: str
    sureness: float
    places: tuple[int, ...]

    def box(self, width: int, height: int) -> Box:
        """Return the upright box around the places, in pixels."""
        across = [(x + 0.5) * width / PLACES for x in self.places[0::2]]
        down = [(y + 0.5) * height / PLACES for y in self.places[1::2]]
        return min(across), min(down), max(across), max(down)


def regions(
    pieces: Iterable[tuple[str, float]], numbers: int, join: Callable[[list[str]], str]
) -> tuple[Region, ...]:
    """Return the regions of an answer; words without whole places, and places without words, are left out.

    Args:
        pieces: tokens without special ones, each with its probability.
        numbers: how many places make one region: 4 for boxes, 8 for lines of writing.
        join: makes text from tokens.
    """
    found = []
    for words, places in _runs(pieces):
        text = " ".join(join([word for word, _ in words]).split())
        for start in range(0, len(places) - numbers + 1, numbers):
            if text:
                found.append(
                    Region(text, _mean([sure for _, sure in words]), tuple(places[start : start + numbers]))
                )
    return tuple(found)


def _runs(pieces: Iterable[tuple[str, float]]) -> Iterator[tuple[list[tuple[str, float]], list[int]]]:
    """Give words and the places behind them, again and again."""
    words: list[tuple[str, float]] = []
    places: list[int] = []
    for piece, sure in pieces:
        place = _PLACE.fullmatch(piece)
        if place:
            places.append(int(place[1]))
            continue
        if places:
            yield words, places
            words, places = [], []
        words.append((piece, sure))
    if places:
        yield words, places


def _mean(shares: Sequence[float]) -> float:
    return math.exp(sum(math.log(max(share, 1e-9)) for share in shares) / len(shares))
