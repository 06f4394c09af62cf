"""The built-in translators on sentences they never trained on."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import pytest
from fastapi.testclient import TestClient

from miniatures.text.translate_data import one_way
from svc_translate.app import create_app
from svc_translate.settings import Settings

pytestmark = pytest.mark.model
SENTENCES = 60
LEAST_EXACT = {"scene": 0.9, "everyday": 0.8}
"""A little below what the model cards measured, since the sample here is small."""


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    folder = tmp_path_factory.mktemp("translate")
    settings = Settings(data_dir=folder, auth="off", allowed_hosts=("testserver",))
    with TestClient(create_app(settings)) as client:
        yield client


@pytest.mark.parametrize(("source", "target"), [("en", "pt"), ("pt", "en")])
@pytest.mark.parametrize("world", ["scene", "everyday"])
def test_held_out_sentences_are_translated_word_for_word(
    client: TestClient, source: str, target: str, world: str
) -> None:
    made = (row for row in one_way(77, source, measuring=True) if row[2] == world)
    rows = list(islice(made, SENTENCES))
    model = f"oficina-translate-{source}-{target}"
    body = {"text": [row[0] for row in rows], "source": source, "target": target, "model": model}
    answer = client.post("/v1/translations", json=body).json()
    said = [row["text"] for row in answer["translations"]]
    right = sum(text == row[1] for text, row in zip(said, rows, strict=True))
    assert answer["model"] == model
    assert right / SENTENCES >= LEAST_EXACT[world]


def test_the_scene_of_the_tour_goes_both_ways(client: TestClient) -> None:
    pt, en = "um círculo vermelho grande sobre um fundo azul", "a large red circle on a blue background"
    there = client.post("/v1/translations", json={"text": en, "target": "pt"}).json()["translations"][0]
    back = client.post("/v1/translations", json={"text": pt, "target": "en"}).json()["translations"][0]
    assert (there["text"], there["model"]) == (pt, "oficina-translate-en-pt")
    assert (back["text"], back["model"]) == (en, "oficina-translate-pt-en")


def test_a_word_of_another_world_is_not_left_to_the_small_model_in_silence(client: TestClient) -> None:
    body = {"text": "The parliament ratified the amendment.", "target": "pt"}
    made = client.post("/v1/translations", json=body).json()["translations"][0]
    assert made["model"] == "apertium" or made["warnings"]
