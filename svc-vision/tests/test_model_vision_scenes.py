"""The built-in captioner and detector on rendered scenes, of any size and as JPEG, that they never trained on."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from miniatures.detect.evaluate import Found, average_precision, held_out_pictures
from miniatures.detect.train import LABELS
from miniatures.scenes.grammar import canonical
from miniatures.scenes.render import Picture
from svc_vision.app import create_app
from svc_vision.settings import Settings

pytestmark = pytest.mark.model
PICTURES = 120
LEAST_EXACT_CAPTIONS = 0.95
LEAST_AP50 = 0.9
LEAST_CLASSED = 0.95
LEAST_WHOLE = 0.8
"""Of the pictures: exactly their shapes are found, with the settings that a caller gets by default."""


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    folder = tmp_path_factory.mktemp("vision")
    settings = Settings(data_dir=folder, auth="off", allowed_hosts=("testserver",))
    with TestClient(create_app(settings)) as client:
        yield client


@pytest.fixture(scope="module")
def pictures() -> list[Picture]:
    return held_out_pictures(PICTURES, seed=20)


def sent(picture: Picture) -> dict:
    buffer = io.BytesIO()
    picture.image.save(buffer, "PNG")
    return {"files": {"image": ("scene.png", buffer.getvalue(), "image/png")}}


def test_scenes_are_captioned_word_for_word(client: TestClient, pictures: list[Picture]) -> None:
    said = [client.post("/v1/vision/captions", **sent(picture)).json() for picture in pictures]
    right = sum(a["text"] == canonical(p.scene, "en") for a, p in zip(said, pictures, strict=True))
    assert said[0]["model"] == "oficina-captioner"
    assert right / PICTURES >= LEAST_EXACT_CAPTIONS


def test_shapes_are_found_where_they_were_drawn(client: TestClient, pictures: list[Picture]) -> None:
    found = []
    for index, picture in enumerate(pictures):
        answer = client.post("/v1/vision/detections", data={"threshold": "0.05"}, **sent(picture)).json()
        assert (answer["width"], answer["height"]) == picture.image.size
        found += [
            Found(index, item["label"], item["score"], tuple(item["box"])) for item in answer["detections"]
        ]
    measured = [average_precision(pictures, found, label) for label in LABELS]
    precisions = [value for value in measured if value is not None]
    assert sum(precisions) / len(precisions) >= LEAST_AP50


def test_by_default_exactly_the_shapes_that_are_there_are_found(
    client: TestClient, pictures: list[Picture]
) -> None:
    right = 0
    for picture in pictures:
        answer = client.post("/v1/vision/detections", **sent(picture)).json()
        said = sorted(item["label"] for item in answer["detections"])
        right += said == sorted(f"{shape.colour} {shape.kind}" for shape in picture.scene.shapes)
    assert right / PICTURES >= LEAST_WHOLE


def test_classes_name_the_shapes_and_say_that_the_detector_gave_them(
    client: TestClient, pictures: list[Picture]
) -> None:
    right = 0
    for picture in pictures:
        answer = client.post("/v1/vision/classifications", **sent(picture)).json()
        assert answer["derived_from"] == "detection"
        labels = [item["label"] for item in answer["classifications"]]
        right += all(f"{shape.colour} {shape.kind}" in labels for shape in picture.scene.shapes)
    assert right / PICTURES >= LEAST_CLASSED


def test_the_models_are_listed_as_built_in(client: TestClient) -> None:
    for row in client.get("/v1/models").json()["data"]:
        assert row["builtin"] is True
        assert Path(row["id"]).name == row["id"]
