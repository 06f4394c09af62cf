"""Names, aliases, the catalogue and the routes of models."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from fastapi.testclient import TestClient

from servicekit.errors import ModelNotFound, ServiceError
from servicekit.models import (
    DEFAULT_ALIASES,
    Catalogue,
    CatalogueEntry,
    InstalledModel,
    Machine,
    ModelSlot,
    ServiceModels,
    resolve,
    router,
)
from servicekit.models.search import CatalogueQuery

DRAW = InstalledModel("draw", "image", builtin=True, license="MIT", size_bytes=10, languages=("pt", "en"))
TURBO = InstalledModel("org/sd-turbo", "image")


def test_no_name_means_the_default_model() -> None:
    assert resolve(None, [DRAW, TURBO], {}, "draw") is DRAW


def test_an_alias_of_a_task_leads_to_the_default_model_of_that_task() -> None:
    assert resolve("dall-e-3", [DRAW, TURBO], DEFAULT_ALIASES, "org/sd-turbo") is TURBO


def test_an_installed_model_wins_over_an_alias_of_the_same_name() -> None:
    real = InstalledModel("dall-e-3", "image")
    assert resolve("dall-e-3", [DRAW, real], DEFAULT_ALIASES, "draw") is real


@pytest.mark.parametrize("name", ["gpt-4", "nothing", "", "x" * 500])
def test_an_unknown_name_is_refused_with_what_is_there(name: str) -> None:
    with pytest.raises(ModelNotFound) as caught:
        resolve(name or "?", [DRAW, TURBO], DEFAULT_ALIASES, "draw")
    assert "draw, org/sd-turbo" in caught.value.message
    assert len(caught.value.message) < 300


def test_a_refusal_names_few_of_many_models() -> None:
    trained = [InstalledModel(f"ft:draw:train:{n:08}:ckpt-step-75", "image") for n in range(50)]
    with pytest.raises(ModelNotFound) as caught:
        resolve("gpt-9", [*trained, TURBO, DRAW], {}, "draw")
    assert "Installed models: draw, org/sd-turbo, ft:draw:" in caught.value.message
    assert " and 44 more. GET /v1/models lists them" in caught.value.message
    assert len(caught.value.message) < 500


def test_a_machine_without_enough_memory_is_told_both_figures() -> None:
    entry = CatalogueEntry(id="big", task="chat", memory_bytes=8 * 2**30, size_bytes=1)
    told = entry.as_dict(Machine(memory_bytes=4 * 2**30, free_disk_bytes=2**40))
    assert told["why_not"] == "needs 8.0 GiB of memory, and this machine can give 3.6 GiB"
    assert told["lack"] == {"of": "memory", "needed_bytes": 8 * 2**30, "there_bytes": int(3.6 * 2**30)}


def test_a_machine_without_enough_disk_is_told_both_figures() -> None:
    entry = CatalogueEntry(id="big", task="chat", memory_bytes=1, size_bytes=3 * 2**30)
    told = entry.as_dict(Machine(memory_bytes=2**40, free_disk_bytes=2**30))
    assert told["why_not"] == "needs 3.0 GiB on disk, and this machine can give 1.0 GiB"
    assert told["lack"] == {"of": "disk", "needed_bytes": 3 * 2**30, "there_bytes": 2**30}


def test_a_catalogue_tells_who_does_a_task_beside_its_own(tmp_path: Path) -> None:
    file = tmp_path / "catalogue.yaml"
    file.write_text(
        "- {id: built, task: ocr, builtin: true}\n- {id: a, task: caption, also: [ocr], repo: me/a}\n"
        "- {id: b, task: ocr, repo: me/b}\n"
    )
    catalogue = Catalogue.from_yaml(file)
    assert (catalogue.first_for("ocr"), catalogue.first_for("question")) == ("a", None)
    row = catalogue.as_dict(Machine(2**40, 2**40), "svc")["data"][1]
    assert row["tasks"] == ["caption", "ocr"]
    assert [r["id"] for r in CatalogueQuery(task="ocr").keep([row, {"id": "old", "task": "caption"}])] == [
        "a"
    ]


def test_a_catalogue_file_keeps_order_and_fields(tmp_path: Path) -> None:
    file = tmp_path / "catalogue.yaml"
    file.write_text(
        "models:\n- {id: a, task: chat, files: [x.gguf], good_for: {en: talk, pt-BR: conversa}}\n"
        "- {id: b, task: chat, noncommercial: true}\n"
    )
    catalogue = Catalogue.from_yaml(file)
    assert [entry.id for entry in catalogue.entries] == ["a", "b"]
    assert catalogue.entries[0].files == ("x.gguf",)
    assert catalogue.entries[0].good_for["pt-BR"] == "conversa"


@pytest.mark.parametrize("text", ["- {id: a}", "- {id: a, task: x, colour: red}", "- {id: a, task: x}\n" * 2])
def test_a_wrong_catalogue_file_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "catalogue.yaml"
    file.write_text(text)
    with pytest.raises(ValueError, match="catalogue"):
        Catalogue.from_yaml(file)


@pytest.fixture
def client() -> TestClient:
    slot: ModelSlot[object] = ModelSlot(object, name="draw")
    models = ServiceModels(
        "svc-x",
        [DRAW, TURBO],
        aliases=DEFAULT_ALIASES,
        slots={"draw": slot},
        catalogue=Catalogue((CatalogueEntry(id="c", task="image", size_bytes=1, memory_bytes=1),)),
    )
    app = FastAPI()
    app.include_router(router(models))

    @app.exception_handler(ServiceError)
    async def answer(request: Request, exc: ServiceError) -> JSONResponse:
        return JSONResponse(exc.body(), exc.status)

    return TestClient(app)


def test_the_listing_marks_aliases_as_such(client: TestClient) -> None:
    rows = {row["id"]: row for row in client.get("/v1/models").json()["data"]}
    assert rows["dall-e-2"]["alias_of"] == "draw"
    assert rows["draw"]["builtin"] is True and "alias_of" not in rows["draw"]
    assert "gpt-4" not in rows


def test_loading_and_unloading_shows_in_the_listing(client: TestClient) -> None:
    assert client.get("/v1/models/draw").json()["loaded"] is False
    assert client.post("/v1/models/draw/load").json()["loaded"] is True
    assert client.post("/v1/models/draw/unload").json()["loaded"] is False


def test_what_is_not_listed_is_freed_by_its_name_and_no_alias_leads_to_it() -> None:
    slot: ModelSlot[object] = ModelSlot(object, name="part")
    models = ServiceModels(
        "x", [], aliases=DEFAULT_ALIASES, slots={"part": slot}, unlisted=[InstalledModel("part", "image")]
    )
    app = FastAPI()
    app.include_router(router(models))
    slot.load()
    client = TestClient(app)
    assert client.get("/v1/models").json()["data"] == []
    assert client.post("/v1/models/part/unload").json()["loaded"] is False
    assert not slot.loaded
    with pytest.raises(ModelNotFound):
        models.resolve("dall-e-2")


def test_an_entry_tells_state_progress_and_memory(client: TestClient) -> None:
    entry = client.get("/v1/models/draw").json()
    assert (entry["state"], entry["progress"], entry["error"]) == ("unloaded", 0.0, None)
    client.post("/v1/models/draw/load")
    entry = client.get("/v1/models/draw").json()
    assert (entry["state"], entry["progress"], entry["memory_bytes"]) == ("ready", 1.0, None)


def test_a_load_goes_on_after_the_answer_when_the_caller_prefers_so(client: TestClient) -> None:
    answer = client.post("/v1/models/draw/load", headers={"Prefer": "respond-async, wait=0"})
    assert answer.status_code == 202
    assert answer.headers["Location"] == "/v1/models/draw"
    assert answer.headers["Preference-Applied"] == "respond-async"
    deadline = time.monotonic() + 5
    while client.get("/v1/models/draw").json()["state"] != "ready":
        assert time.monotonic() < deadline


def test_a_model_id_may_hold_a_slash(client: TestClient) -> None:
    assert client.post("/v1/models/org/sd-turbo/load").json()["id"] == "org/sd-turbo"


def test_the_catalogue_says_what_fits(client: TestClient) -> None:
    row = client.get("/v1/catalogue").json()["data"][0]
    assert row["fits"] is True and row["service"] == "svc-x"
    assert row["runnable"] is False and "installs no models" in row["why_not"]
    assert row["obstacle"] == {"of": "installs_nothing", "found": None, "runs": []}


def test_the_catalogue_is_searched_and_a_wrong_parameter_refused(client: TestClient) -> None:
    assert client.get("/v1/catalogue", params={"task": "chat"}).json()["data"] == []
    assert len(client.get("/v1/catalogue", params={"q": "c", "task": "image"}).json()["data"]) == 1
    assert client.get("/v1/catalogue", params={"colour": "red"}).status_code == 422


def test_a_service_with_one_model_installs_and_removes_none(client: TestClient) -> None:
    assert client.post("/v1/models/install", json={"id": "c"}).status_code == 501
    assert client.delete("/v1/models/draw").status_code == 501
