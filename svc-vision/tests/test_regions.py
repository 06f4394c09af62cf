"""What Florence-2 writes becomes boxes and lines."""

from __future__ import annotations

import pytest

from svc_vision.engine.regions import regions


def pieces(text: str) -> list[tuple[str, float]]:
    return [(piece, 0.5) for piece in text.split()]


def places(*numbers: int) -> str:
    return " ".join(f"<loc_{n}>" for n in numbers)


def read(text: str, numbers: int = 4) -> list[tuple[str, tuple[int, ...]]]:
    return [(item.words, item.places) for item in regions(pieces(text), numbers, " ".join)]


def test_each_four_places_are_a_box_of_the_words_before_them() -> None:
    said = f"red car {places(1, 2, 3, 4, 5, 6, 7, 8)} wheel {places(9, 10, 11, 12)}"
    assert read(said) == [("red car", (1, 2, 3, 4)), ("red car", (5, 6, 7, 8)), ("wheel", (9, 10, 11, 12))]


@pytest.mark.parametrize(
    "said", ["", "words alone", places(1, 2, 3, 4), f"cut {places(1, 2, 3)}", f"cut {places(1, 2, 3)} off"]
)
def test_what_is_no_whole_region_is_left_out(said: str) -> None:
    assert read(said) == []


def test_a_line_of_writing_has_four_corners_and_an_upright_box() -> None:
    (line,) = regions(pieces(f"OPEN {places(100, 200, 300, 180, 310, 400, 90, 420)}"), 8, " ".join)
    assert line.box(1000, 2000) == pytest.approx((90.5, 361, 310.5, 841))


def test_how_sure_the_words_were_is_their_mean_whatever_the_places() -> None:
    said = [("red", 0.25), ("car", 1.0), *((f"<loc_{n}>", 0.01) for n in (1, 2, 3, 4))]
    (found,) = regions(said, 4, " ".join)
    assert found.sureness == pytest.approx(0.5)
