"""Models for the page: the files that are chosen, and how they are handed out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from servicekit.hub import RepoFile, Shelf, ShelfModel, browser
from servicekit.hub.errors import RepositoryNotFound
from servicekit.models import Catalogue, CatalogueEntry

COMMIT = "c0ffee"
CONTENT = bytes(range(256)) * 40


def chosen(*names: str) -> list[str] | None:
    files = {name: RepoFile(name, 1) for name in names}
    found = browser.layout(files, ("onnx/",))
    return None if found is None else [file.name for file in found]


def test_a_language_model_needs_one_graph_and_its_settings() -> None:
    assert chosen(
        "config.json", "tokenizer.json", "model.safetensors", "training.json",
        "onnx/model.onnx", "onnx/model_q4.onnx", "onnx/model_quantized.onnx", "onnx/model_q4f16.onnx",
    ) == ["config.json", "tokenizer.json", "onnx/model_quantized.onnx", "onnx/model_q4f16.onnx"]  # fmt: skip


def test_a_captioner_needs_both_graphs_in_one_precision() -> None:
    both = ("onnx/encoder_model_q4.onnx", "onnx/decoder_model_merged_q4.onnx")
    assert chosen("onnx/encoder_model_quantized.onnx", *both) == list(both)


def test_a_repository_without_small_graphs_is_refused() -> None:
    with pytest.raises(RepositoryNotFound, match="_quantized"):
        chosen("config.json", "onnx/model.onnx")


def test_another_models_files_are_not_this_layout() -> None:
    assert browser.layout({"onnx/model_quantized.onnx": RepoFile("onnx/model_quantized.onnx", 1)}, ()) is None


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    shelf = Shelf(tmp_path / "models")
    for model_id, task in (("small", browser.TEXT), ("own", "chat")):
        folder = shelf.parts(model_id)
        (folder / "onnx").mkdir()
        (folder / "onnx" / "model_quantized.onnx").write_bytes(CONTENT)
        (folder / "secret.txt").write_text("no")
        files = (RepoFile("onnx/model_quantized.onnx", len(CONTENT)),)
        shelf.publish(ShelfModel(model_id, folder, "me/it", COMMIT, files, task=task))
    entries = (
        CatalogueEntry("small", browser.TEXT, repo="me/it", license="MIT"),
        CatalogueEntry("other", browser.CAPTION, repo="me/other", size_bytes=5),
        CatalogueEntry("own", "chat", repo="me/it"),
    )
    app = FastAPI()
    app.include_router(browser.router("/v1/chat", shelf, Catalogue(entries)))

    from servicekit.errors import NotFound

    @app.exception_handler(NotFound)
    async def told(_: object, error: NotFound) -> object:
        from fastapi.responses import JSONResponse

        return JSONResponse(error.body(), 404)

    with TestClient(app) as client:
        yield client


def test_the_page_sees_what_is_installed_and_what_could_be(client: TestClient) -> None:
    rows = client.get("/v1/chat/browser-models").json()["data"]
    assert [(row["id"], row["task"], row["installed"]) for row in rows] == [
        ("small", "text", True),
        ("other", "caption", False),
    ]
    assert rows[0]["base"] == f"/v1/chat/browser-models/{COMMIT}/small/"
    assert rows[0]["files"] == [{"name": "onnx/model_quantized.onnx", "size": len(CONTENT)}]
    assert (rows[1]["base"], rows[1]["size_bytes"]) == (None, 5)


def test_a_file_comes_whole_or_by_ranges_and_is_kept_for_good(client: TestClient) -> None:
    place = f"/v1/chat/browser-models/{COMMIT}/small/onnx/model_quantized.onnx"
    whole = client.get(place)
    assert whole.content == CONTENT and "immutable" in whole.headers["cache-control"]
    part = client.get(place, headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, CONTENT[10:20])
    assert part.headers["etag"] == whole.headers["etag"]


@pytest.mark.parametrize(
    "place",
    [
        f"{COMMIT}/small/secret.txt",
        f"{COMMIT}/small/oficina.json",
        f"{COMMIT}/small/..%2fown/onnx/model_quantized.onnx",
        f"{COMMIT}/own/onnx/model_quantized.onnx",
        f"{COMMIT}/none/onnx/model_quantized.onnx",
        "older/small/onnx/model_quantized.onnx",
    ],
)
def test_nothing_else_is_handed_out(client: TestClient, place: str) -> None:
    assert client.get(f"/v1/chat/browser-models/{place}").status_code == 404
