"""A captioner is installed from a hub while the service runs, used without a restart, and removed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from servicekit.hub.fake_hub import FakeHub, install, repository_of
from svc_vision.app import create_app
from svc_vision.settings import Settings

from .scenes import picture

pytestmark = pytest.mark.model
MODELS = Settings().models_dir
FOR_THE_PAGE = MODELS.parents[1] / "frontend" / "public" / "models" / "oficina-captioner"
OTHER = {
    "config.json": b'{"architectures": ["T5Model"]}',
    "model.safetensors": (2).to_bytes(8, "little") + b"{}",
}


@pytest.fixture(scope="module")
def hub() -> Iterator[FakeHub]:
    served = {
        "me/captions": repository_of(MODELS / "captioner"),
        "me/boxes": repository_of(MODELS / "detector"),
        "me/other": OTHER,
        "Xenova/vit-gpt2-image-captioning": repository_of(FOR_THE_PAGE),
    }
    with FakeHub(served) as running:
        yield running


@pytest.fixture(scope="module")
def client(hub: FakeHub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    folder = tmp_path_factory.mktemp("vision")
    settings = Settings(data_dir=folder, auth="off", allowed_hosts=("testserver",), hf_endpoint=hub.url)
    with TestClient(create_app(settings)) as client:
        yield client


def test_the_plan_tells_files_memory_and_licence(client: TestClient) -> None:
    plan = client.post("/v1/models/plan", json={"id": "me/captions"}).json()
    assert plan["fit"] == "fits" and plan["license"] == "mit" and plan["why_not"] is None
    assert 400 * 2**20 < plan["memory_bytes"] < 440 * 2**20, "the miniature is almost all torch"
    assert "model.safetensors" in {file["name"] for file in plan["files"]}


def test_an_installed_captioner_answers_as_the_built_in_one_and_goes_again(client: TestClient) -> None:
    said = client.post("/v1/vision/captions", **picture()).json()
    assert install(client, "me/captions")["status"] == "completed"
    assert "me/captions" in {row["id"] for row in client.get("/v1/models").json()["data"]}
    answer = client.post("/v1/vision/captions", data={"model": "me/captions"}, **picture()).json()
    assert (answer["model"], answer["text"]) == ("me/captions", said["text"])
    assert client.delete("/v1/models/me/captions").json()["deleted"] is True
    assert client.post("/v1/vision/captions", data={"model": "me/captions"}, **picture()).status_code == 404
    assert client.post("/v1/vision/captions", **picture()).json()["model"] == "oficina-captioner"


def test_another_commit_of_an_installed_model_is_another_edition_to_who_keeps_results(
    client: TestClient, hub: FakeHub
) -> None:
    editions = [client.get("/readyz").json()["models"]]
    for words in (b"One.", b"Two."):
        hub.repositories["me/captions"]["README.md"] = words
        assert install(client, "me/captions")["status"] == "completed"
        editions.append(client.get("/readyz").json()["models"])
    assert client.delete("/v1/models/me/captions").status_code == 200
    assert len(set(editions)) == 3 and client.get("/readyz").json()["models"] == editions[0]


def test_a_detector_is_told_from_a_captioner_by_its_architecture(client: TestClient) -> None:
    assert install(client, "me/boxes")["status"] == "completed"
    assert client.get("/v1/models/me/boxes").json()["task"] == "detection"
    found = client.post("/v1/vision/detections", data={"model": "me/boxes"}, **picture()).json()
    assert found["model"] == "me/boxes" and found["detections"]


def test_what_no_engine_here_runs_is_refused_before_it_is_fetched(client: TestClient, hub: FakeHub) -> None:
    answer = client.post("/v1/models/install", json={"id": "me/other"})
    assert answer.status_code == 400 and "T5Model" in answer.json()["error"]["message"]
    assert not [asked for asked in hub.asked if "me/other" in asked.path and "safetensors" in asked.path]


def test_the_built_in_model_is_not_removed(client: TestClient) -> None:
    answer = client.delete("/v1/models/oficina-captioner")
    assert answer.status_code == 404 and "built in" in answer.json()["error"]["message"]


def test_all_models_of_the_catalogue_run_here(client: TestClient) -> None:
    rows = client.get("/v1/catalogue").json()["data"]
    assert len(rows) > 5 and not [row["id"] for row in rows if not row["runnable"]]


def test_the_catalogue_is_searched_by_all_that_a_model_does(client: TestClient) -> None:
    for task, found in (("ocr", "Florence-2-base"), ("question", "SmolVLM-256M-Instruct")):
        rows = client.get("/v1/catalogue", params={"task": task}).json()["data"]
        assert [row["id"] for row in rows] == [found]


def test_a_model_for_the_page_is_installed_handed_out_and_never_loaded(client: TestClient) -> None:
    model_id = "vit-gpt2-image-captioning-browser"
    assert install(client, model_id)["status"] == "completed"
    row = client.get("/v1/vision/browser-models").json()["data"][0]
    assert (row["id"], row["task"], row["installed"]) == (model_id, "caption", True)
    for name in ("onnx/encoder_model_quantized.onnx", "preprocessor_config.json"):
        assert client.get(row["base"] + name).content == (FOR_THE_PAGE / name).read_bytes()
    assert model_id not in {row["id"] for row in client.get("/v1/models").json()["data"]}
    assert client.delete(f"/v1/models/{model_id}").json()["deleted"] is True
    assert client.get("/v1/vision/browser-models").json()["data"][0]["installed"] is False
