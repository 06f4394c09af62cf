"""A GGUF is installed from a hub while the service runs, answers without a restart, and is removed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from servicekit.hub.fake_hub import FakeHub, install, repository_of
from svc_chat.app import create_app
from svc_chat.settings import Settings

pytestmark = pytest.mark.model
FOR_THE_PAGE = Path(__file__).parents[2] / "frontend" / "public" / "models" / "oficina-chat"
QUESTION = {"messages": [{"role": "user", "content": "Olá!"}], "temperature": 0, "max_tokens": 8}


@pytest.fixture(scope="module")
def hub() -> Iterator[FakeHub]:
    weights = Settings().builtin_model_path.read_bytes()
    broken = b"GGUF" + bytes(4000)
    with FakeHub(
        {
            "me/mini-gguf": {"mini-Q4_K_M.gguf": weights, "README.md": b"x"},
            "me/broken": {"b.gguf": broken},
            "HuggingFaceTB/SmolLM2-135M-Instruct": repository_of(FOR_THE_PAGE),
        }
    ) as running:
        yield running


@pytest.fixture(scope="module")
def client(hub: FakeHub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    folder = tmp_path_factory.mktemp("chat")
    settings = Settings(data_dir=folder, auth="off", allowed_hosts=("testserver",), hf_endpoint=hub.url)
    with TestClient(create_app(settings)) as client:
        yield client


def listed(client: TestClient, model_id: str, there: bool) -> bool:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if (model_id in {row["id"] for row in client.get("/v1/models").json()["data"]}) is there:
            return True
        time.sleep(0.1)
    return False


def test_a_file_that_is_no_model_is_refused_before_it_is_fetched(client: TestClient, hub: FakeHub) -> None:
    answer = client.post("/v1/models/install", json={"id": "me/broken"})
    assert 400 <= answer.status_code < 504 and "b.gguf" in answer.json()["error"]["message"]
    assert all(asked.last is not None for asked in hub.asked if asked.path.endswith("b.gguf"))


def test_the_estimate_is_that_of_a_file_on_disk(client: TestClient) -> None:
    plan = client.post("/v1/models/plan", json={"id": "me/mini-gguf"}).json()
    builtin = client.get("/v1/models").json()["data"][0]
    assert (plan["id"], plan["memory_bytes"]) == ("mini-Q4_K_M", builtin["memory_bytes"])


def test_an_installed_model_answers_without_a_restart_and_goes_again(client: TestClient) -> None:
    ours = client.post("/v1/chat/completions", json=QUESTION).json()
    job = install(client, "me/mini-gguf")
    assert job["status"] == "completed", job
    assert listed(client, "mini-Q4_K_M", there=True)
    answer = client.post("/v1/chat/completions", json=QUESTION | {"model": "mini-Q4_K_M"}).json()
    assert answer["model"] == "mini-Q4_K_M"
    assert answer["choices"][0]["message"]["content"] == ours["choices"][0]["message"]["content"]
    assert client.delete("/v1/models/mini-Q4_K_M").json()["deleted"] is True
    assert listed(client, "mini-Q4_K_M", there=False)


def test_the_catalogue_tells_which_of_its_models_run_here(client: TestClient) -> None:
    rows = {row["id"]: row for row in client.get("/v1/catalogue").json()["data"]}
    assert rows["Qwen2.5-1.5B-Instruct-Q4_K_M"]["runnable"] is True


def test_a_model_for_the_page_is_installed_handed_out_and_never_loaded(client: TestClient) -> None:
    model_id = "SmolLM2-135M-Instruct-browser"
    assert client.post("/v1/models/plan", json={"id": model_id}).json()["fit"] == "fits"
    before = {row["id"] for row in client.get("/v1/models").json()["data"]}
    assert install(client, model_id)["status"] == "completed"
    row = client.get("/v1/chat/browser-models").json()["data"][0]
    assert (row["id"], row["task"], row["installed"]) == (model_id, "text", True)
    name = "onnx/model_quantized.onnx"
    assert name in {file["name"] for file in row["files"]}
    assert client.get(row["base"] + name).content == (FOR_THE_PAGE / name).read_bytes()
    assert {row["id"] for row in client.get("/v1/models").json()["data"]} == before
    assert client.delete(f"/v1/models/{model_id}").json()["deleted"] is True
    assert client.get(row["base"] + name).status_code == 404
    assert client.get("/v1/chat/browser-models").json()["data"][0]["installed"] is False
