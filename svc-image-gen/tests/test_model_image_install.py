"""A pipeline is installed from a hub while the service runs, draws without a restart, and is removed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from servicekit.hub.fake_hub import FakeHub, install, repository_of
from svc_image_gen.app import create_app
from svc_image_gen.settings import Settings

pytestmark = pytest.mark.model
PICTURE = {
    "prompt": "a large red circle on a blue background",
    "size": "64x64",
    "steps": 4,
    "seed": 1,
    "response_format": "b64_json",
}


@pytest.fixture(scope="module")
def hub() -> Iterator[FakeHub]:
    files = repository_of(Settings().builtin_model_path)
    with FakeHub(
        {"me/draw": files | {"v1-5-pruned.safetensors": bytes(10), "unet/pickled.bin": b"x"}}
    ) as running:
        yield running


@pytest.fixture(scope="module")
def client(hub: FakeHub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    folder = tmp_path_factory.mktemp("image")
    settings = Settings(
        data_dir=folder, auth="off", allowed_hosts=("testserver",), hf_endpoint=hub.url, niceness=0
    )
    with TestClient(create_app(settings)) as client:
        yield client


def test_an_installed_pipeline_draws_the_same_picture_and_goes_again(
    client: TestClient, hub: FakeHub
) -> None:
    assert install(client, "me/draw")["status"] == "completed"
    assert not [asked for asked in hub.asked if "pruned" in asked.path or asked.path.endswith(".bin")]
    ours = client.post("/v1/images/generations", json=PICTURE).json()
    theirs = client.post("/v1/images/generations", json=PICTURE | {"model": "me/draw"}).json()
    assert theirs["data"][0]["b64_json"][:40] == ours["data"][0]["b64_json"][:40]
    assert client.get("/v1/models/me/draw").json()["license"] == "mit"
    assert client.delete("/v1/models/me/draw").json()["deleted"] is True
    assert client.post("/v1/images/generations", json=PICTURE | {"model": "me/draw"}).status_code == 404


def test_memory_is_told_from_the_headers_before_weights_are_fetched(client: TestClient, hub: FakeHub) -> None:
    hub.asked.clear()
    plan = client.post("/v1/models/plan", json={"id": "me/draw"}).json()
    assert 400 * 2**20 < plan["memory_bytes"] < 600 * 2**20
    assert all(asked.last is not None for asked in hub.asked if asked.path.endswith(".safetensors"))


def test_a_repository_that_is_no_pipeline_is_said_to_be_none(client: TestClient, hub: FakeHub) -> None:
    hub.repositories["me/bare"] = {"model_index.json": b"{}", "unet.safetensors": b"x"}
    answer = client.post("/v1/models/install", json={"id": "me/bare"})
    assert answer.status_code == 404 and "safetensors" in answer.json()["error"]["message"]


def test_the_catalogue_tells_which_of_its_models_run_here(client: TestClient) -> None:
    rows = {row["id"]: row for row in client.get("/v1/catalogue").json()["data"]}
    assert [row["id"] for row in rows.values() if not row["runnable"]] == []
    assert rows["taesd"]["task"] == "image-decoder" and rows["sdxl-turbo"]["noncommercial"] is True
