"""A translator is installed from a hub while the service runs, converted, used, and removed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from servicekit.hub.fake_hub import FakeHub, install, repository_of
from svc_translate.app import create_app
from svc_translate.settings import Settings

pytestmark = pytest.mark.model
FOLDER = Settings().models_dir / "en-pt"
SENTENCE = {"text": "a large red circle on a blue background", "source": "en", "target": "pt"}


@pytest.fixture(scope="module")
def hub() -> Iterator[FakeHub]:
    files = repository_of(FOLDER)
    nameless = {**files, "tokenizer_config.json": b"{}"}
    with FakeHub({"me/mini-en-pt": files, "me/nameless": nameless}) as running:
        yield running


@pytest.fixture(scope="module")
def client(hub: FakeHub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    folder = tmp_path_factory.mktemp("translate")
    settings = Settings(
        data_dir=folder, auth="off", allowed_hosts=("testserver",), hf_endpoint=hub.url, apertium="off"
    )
    with TestClient(create_app(settings)) as client:
        yield client


def test_an_installed_model_translates_without_a_restart_and_goes_again(client: TestClient) -> None:
    assert install(client, "me/mini-en-pt")["status"] == "completed"
    said = client.post("/v1/translations", json=SENTENCE | {"model": "me/mini-en-pt"}).json()
    assert said["translations"][0]["text"] == "um círculo vermelho grande sobre um fundo azul"
    assert said["translations"][0]["model"] == "me/mini-en-pt"
    assert client.delete("/v1/models/me/mini-en-pt").json()["deleted"] is True
    gone = client.post("/v1/translations", json=SENTENCE | {"model": "me/mini-en-pt"})
    assert gone.status_code == 404
    assert client.post("/v1/translations", json=SENTENCE).status_code == 200


def test_a_model_whose_direction_cannot_be_told_says_how_to_name_it(client: TestClient) -> None:
    job = install(client, "me/nameless")
    assert job["status"] == "failed" and "TRANSLATE_EXTRA_MODELS" in job["error"]["message"]


def test_the_estimate_counts_the_numbers_of_the_weights(client: TestClient) -> None:
    plan = client.post("/v1/models/plan", json={"id": "me/mini-en-pt"}).json()
    assert 45 * 2**20 < plan["memory_bytes"] < 60 * 2**20


def test_the_catalogue_tells_which_of_its_models_run_here(client: TestClient) -> None:
    rows = {row["id"]: row for row in client.get("/v1/catalogue").json()["data"]}
    assert rows["opus-mt-tc-big-en-pt"]["runnable"] is True
