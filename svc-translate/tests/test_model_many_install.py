"""Models of many languages are installed from a hub, as weights or ready for CTranslate2, translate, and go again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from servicekit.hub.fake_hub import FakeHub, install, repository_of
from svc_translate.app import create_app
from svc_translate.engine.spec import convert
from svc_translate.settings import Settings

pytestmark = pytest.mark.model
MANY = {"text": ["a red circle.", "two stars"], "source": "eng_Latn", "target": "de"}


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("many")


@pytest.fixture(scope="module")
def many(
    tmp_path_factory: pytest.TempPathFactory, data_dir: Path, tiny_many: Callable[[str], Path]
) -> Iterator[TestClient]:
    """The service beside a hub that has both kinds of many languages, as weights and ready for CTranslate2."""
    repositories = {"me/mini-en-pt": repository_of(Settings().models_dir / "en-pt")}
    for kind in ("m2m100", "nllb"):
        source = tiny_many(kind)
        ready = tmp_path_factory.mktemp(kind) / "ready"
        convert(source, ready)
        files = repository_of(source)
        repositories[f"me/{kind}"] = files
        repositories[f"me/{kind}-ct2"] = {
            **repository_of(ready), "sentencepiece.bpe.model": files["sentencepiece.bpe.model"]
        }  # fmt: skip
    pickled = {**repositories["me/nllb-ct2"], "model.bin": b"\x80\x04cos\nsystem\n" + bytes(100)}
    repositories["me/pickled"] = pickled
    with FakeHub(repositories) as hub:
        settings = Settings(
            data_dir=data_dir, auth="off", allowed_hosts=("testserver",), hf_endpoint=hub.url,
            apertium="off", beam=1,
        )  # fmt: skip
        with TestClient(create_app(settings)) as client:
            yield client


@pytest.mark.parametrize("name", ["me/m2m100", "me/nllb", "me/m2m100-ct2", "me/nllb-ct2"])
def test_a_model_of_many_languages_is_installed_translates_and_goes_again(
    many: TestClient, name: str
) -> None:
    assert many.post("/v1/translations", json=MANY).status_code == 400
    assert install(many, name)["status"] == "completed"
    said = many.post("/v1/translations", json=MANY).json()
    assert [(row["source"], row["target"], row["model"]) for row in said["translations"]] == [
        ("en", "de", name)
    ] * 2
    listed = many.get("/v1/translations/languages").json()
    assert {"en", "pt", "de", "fr"} <= set(listed["any"][0]["languages"])
    from_french = many.get("/v1/translations/languages", params={"source": "fr"}).json()["data"]
    assert {"source": "fr", "target": "zh", "model": name} in from_french
    codes = {row["code"]: row["targets"] for row in many.get("/languages").json()}
    assert {"pt", "de"} <= set(codes["fr"])
    assert many.delete(f"/v1/models/{name}").json()["deleted"] is True
    assert many.get("/v1/translations/languages").json()["any"] == []
    assert many.post("/v1/translations", json=MANY).status_code == 400


def test_a_model_made_for_the_direction_goes_before_one_of_many_languages(many: TestClient) -> None:
    assert install(many, "me/nllb-ct2")["status"] == "completed"
    into = many.get("/v1/translations/languages", params={"source": "en"}).json()["data"]
    assert [row["model"] for row in into if row["target"] == "pt"] == [
        "oficina-translate-en-pt",
        "me/nllb-ct2",
    ]
    wrong = many.post("/v1/translations", json=MANY | {"target": "es", "model": "me/nllb-ct2"}).json()[
        "error"
    ]
    assert (wrong["code"], wrong["param"]) == ("unknown_language", "target")
    assert many.delete("/v1/models/me/nllb-ct2").status_code == 200


def test_what_only_calls_itself_ctranslate2s_is_refused_before_it_is_fetched(many: TestClient) -> None:
    answer = many.post("/v1/models/install", json={"id": "me/pickled"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "unsafe_model"), answer.text
    assert "CTranslate2's format" in answer.json()["error"]["message"]


def test_the_estimate_counts_the_numbers_of_either_form(many: TestClient) -> None:
    plans = {
        name: many.post("/v1/models/plan", json={"id": name}).json()
        for name in ("me/m2m100", "me/m2m100-ct2", "me/nllb", "me/nllb-ct2")
    }
    for plan in plans.values():
        assert 45 * 2**20 < plan["memory_bytes"] < 46 * 2**20
    assert plans["me/m2m100"]["download_bytes"] > plans["me/m2m100-ct2"]["download_bytes"] > 10_000


def test_the_converted_copy_goes_with_its_model_and_that_of_others_stays(
    many: TestClient, data_dir: Path
) -> None:
    copies = data_dir / "ct2"
    before = {place.name for place in copies.iterdir()}
    assert before  # those of the built-in models
    assert install(many, "me/m2m100")["status"] == "completed"
    assert len({place.name for place in copies.iterdir()} - before) == 1
    assert many.delete("/v1/models/me/m2m100").status_code == 200
    assert install(many, "me/mini-en-pt")["status"] == "completed"  # the weights of the built-in model
    assert many.delete("/v1/models/me/mini-en-pt").status_code == 200
    assert {place.name for place in copies.iterdir()} == before
    assert many.post("/v1/translations", json={"text": "a red circle", "target": "pt"}).status_code == 200
