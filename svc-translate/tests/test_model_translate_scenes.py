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
SENTENCES, AT_ONCE = 200, 50
LEAST_EXACT = 0.97


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
    said: list[str] = []
    for start in range(0, SENTENCES, AT_ONCE):
        texts = [row[0] for row in rows[start : start + AT_ONCE]]
        body = {"text": texts, "source": source, "target": target, "model": model}
        answer = client.post("/v1/translations", json=body).json()
        assert answer["model"] == model
        said += [row["text"] for row in answer["translations"]]
    wrong = [(row[0], text) for text, row in zip(said, rows, strict=True) if text != row[1]]
    assert len(wrong) <= (1 - LEAST_EXACT) * SENTENCES, wrong


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
