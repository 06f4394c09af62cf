"""Which addresses are those of media of this house."""

from __future__ import annotations

from typing import Any

import pytest

from servicekit.media import OwnMedia, own


def test_a_picture_that_stands_in_the_url_itself_is_not_taken_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    media = OwnMedia("http://gateway:8001")
    path = "/media/img_" + "0" * 32
    assert media.path_of(f"http://gateway:8001{path}") == path

    def kept(url: str) -> Any:  # urlsplit keeps the last 128 that it saw
        raise AssertionError(f"{len(url)} characters would be kept")

    monkeypatch.setattr(own, "urlsplit", kept)
    assert media.path_of("data:image/png;base64," + "A" * 100_000) is None
