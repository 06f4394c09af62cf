"""Models come, go and change places in memory while the service runs, over HTTP."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from svc_chat.app import create_app
from svc_chat.settings import Settings

pytestmark = pytest.mark.model
WriteModel = Callable[..., Path]
MB = 1 << 20


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    folder.mkdir()
    return folder


@pytest.fixture
def start(tmp_path: Path, folder: Path) -> Iterator[Callable[..., TestClient]]:
    """Return a function that starts the service on the folder, without the built-in model."""
    opened: list[TestClient] = []

    def make(**told: Any) -> TestClient:
        settings = Settings(
            data_dir=tmp_path / "data",
            auth="off",
            allowed_hosts=("testserver",),
            model_path=folder / "none.gguf",
            model_paths=(str(folder),),
            threads=1,
            **told,
        )
        client = TestClient(create_app(settings))
        client.__enter__()
        opened.append(client)
        return client

    yield make
    for client in opened:
        client.__exit__(None, None, None)


def models(client: TestClient) -> dict[str, dict[str, Any]]:
    rows = client.get("/v1/models").json()["data"]
    return {row["id"]: row for row in rows if "alias_of" not in row}


def ask(client: TestClient, model: str) -> Any:
    told = {"model": model, "messages": [{"role": "user", "content": "hi"}], "max_tokens": 4}
    return client.post("/v1/chat/completions", json=told)


def until(holds: Callable[[], bool], within_s: float = 90.0) -> None:
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_file_put_into_the_folder_answers_and_one_taken_out_is_gone(
    start: Callable[..., TestClient], folder: Path, write_model: WriteModel
) -> None:
    client = start()
    assert models(client) == {} and client.get("/readyz").status_code == 503
    write_model(folder / "fresh.gguf")
    until(lambda: "fresh" in models(client))
    assert ask(client, "fresh").status_code == 200
    entry = models(client)["fresh"]
    assert (entry["state"], entry["progress"], entry["error"]) == ("ready", 1.0, None)
    assert entry["memory_bytes"] > entry["size_bytes"]
    (folder / "fresh.gguf").unlink()
    until(lambda: "fresh" not in models(client))
    assert ask(client, "fresh").status_code in (404, 503)


def test_a_second_model_takes_the_place_of_the_first_when_memory_is_short(
    start: Callable[..., TestClient], folder: Path, write_model: WriteModel
) -> None:
    for name in ("one", "two"):
        write_model(folder / f"{name}.gguf")
    client = start(loaded_models_mb=24)
    for name, other in (("one", "two"), ("two", "one"), ("one", "two")):
        assert ask(client, name).status_code == 200
        now = models(client)
        assert (now[name]["state"], now[other]["state"]) == ("ready", "unloaded")


def test_a_broken_file_tells_why_and_the_others_go_on(
    start: Callable[..., TestClient], folder: Path, write_model: WriteModel
) -> None:
    whole = write_model(folder / "good.gguf").read_bytes()
    (folder / "cut.gguf").write_bytes(whole[:-100])
    (folder / "wrong.gguf").write_bytes(whole.replace(b"blk.1.ffn_down", b"blk.1.ffn_diwn"))
    client = start()
    assert models(client)["cut"]["state"] == "failed"
    for name, said in (("cut", "too early"), ("wrong", "cannot be loaded")):
        answer = ask(client, name)
        assert answer.status_code == 503
        assert said in answer.json()["error"]["message"] and str(folder) not in answer.text
        assert said in models(client)[name]["error"]
    assert ask(client, "good").status_code == 200


def test_a_load_can_be_followed(
    start: Callable[..., TestClient], folder: Path, write_model: WriteModel
) -> None:
    write_model(folder / "first.gguf")
    write_model(folder / "second.gguf")
    client = start()
    answer = client.post("/v1/models/second/load", headers={"Prefer": "respond-async"})
    assert answer.status_code == 202 and answer.headers["Location"] == "/v1/models/second"
    assert answer.json()["state"] in ("loading", "ready")
    until(lambda: client.get("/v1/models/second").json()["state"] == "ready")
    assert client.post("/v1/models/second/load").json()["loaded"] is True
    assert client.post("/v1/models/second/unload").json()["state"] == "unloaded"


def test_a_model_over_the_budget_is_refused_with_the_remedy(
    start: Callable[..., TestClient], folder: Path, write_model: WriteModel
) -> None:
    write_model(folder / "any.gguf")
    answer = ask(start(loaded_models_mb=1), "any")
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "model_too_large"
    assert "CHAT_LOADED_MODELS_MB" in answer.json()["error"]["message"]


def written(client: TestClient, model: str) -> str:
    told = {"model": model, "prompt": "hi there", "max_tokens": 12, "temperature": 0}
    answer = client.post("/v1/completions", json=told)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["choices"][0]["text"])


def test_an_adapter_answers_beside_its_base_from_one_model_in_memory(
    start: Callable[..., TestClient], folder: Path, write_model: WriteModel, write_adapter: WriteModel
) -> None:
    base = write_model(folder / "base.gguf")
    adapter = write_adapter(folder / "poems.gguf")
    client = start(adapter_paths=(f"base={adapter}",))
    assert set(models(client)) == {"base", "base+poems"}
    plain, adapted = written(client, "base"), written(client, "base+poems")
    assert plain != adapted
    assert written(client, "base") == plain
    assert models(client)["base+poems"]["size_bytes"] > base.stat().st_size
    assert {row["state"] for row in models(client).values()} == {"ready"}


def test_an_adapter_of_another_size_is_refused_and_the_base_goes_on(
    start: Callable[..., TestClient], folder: Path, write_model: WriteModel, write_adapter: WriteModel
) -> None:
    write_model(folder / "base.gguf")
    client = start(adapter_paths=(f"base={write_adapter(folder / 'odd.gguf', width=32)}",))
    assert ask(client, "base").status_code == 200
    answer = ask(client, "base+odd")
    assert answer.status_code == 503 and "does not fit" in answer.json()["error"]["message"]
    assert ask(client, "base").status_code == 200
