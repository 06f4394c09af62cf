"""Each public architecture, tiny and random: installed from a hub, used through HTTP, unloaded and removed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from servicekit.hub.fake_hub import FakeHub, install, repository_of
from svc_vision.app import create_app
from svc_vision.settings import Settings

from . import tiny
from .conftest import encode

pytestmark = pytest.mark.model
SIZE = (80, 60)
ASKED = {"question": "what is this ?", "threshold": "0"}
REPOSITORIES: dict[str, tuple[Callable[..., None], dict[str, bool]]] = {
    "me/florence": (tiny.florence, {}),
    "me/blip": (tiny.blip, {}),
    "me/smolvlm": (tiny.idefics3, {}),
    "me/smolvlm2": (tiny.idefics3, {"smolvlm": True}),
    "me/rtdetr": (tiny.rt_detr, {}),
    "me/rtdetr2": (tiny.rt_detr, {"second": True}),
    "me/vit": (tiny.vit, {}),
}
DOES = {
    "me/florence": {"captions", "detections", "texts"},
    "me/blip": {"captions"},
    "me/smolvlm": {"questions", "captions"},
    "me/smolvlm2": {"questions", "captions"},
    "me/rtdetr": {"detections"},
    "me/rtdetr2": {"detections"},
    "me/vit": {"classifications"},
}
FIELD = {
    "captions": "text", "detections": "detections", "texts": "lines", "questions": "answer",
    "classifications": "classifications",
}  # fmt: skip
TASK = {
    "captions": "caption", "detections": "detection", "texts": "ocr", "questions": "question",
    "classifications": "classification",
}  # fmt: skip


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeHub]:
    root = tmp_path_factory.mktemp("repositories")
    served = {
        name: repository_of(tiny.made(make, root / name, **options))
        for name, (make, options) in REPOSITORIES.items()
    }
    first = dict(served["me/florence"])
    first["config.json"] = first["config.json"].replace(b'"florence_vision"', b'"davit"')
    served["me/goes"] = served["me/smolvlm2"]
    pickled = {name: content for name, content in served["me/blip"].items() if ".safetensors" not in name}
    with FakeHub(
        {**served, "me/first": first, "me/pickled": pickled | {"pytorch_model.bin": b"x"}}
    ) as running:
        yield running


@pytest.fixture(scope="module")
def client(hub: FakeHub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("vision"), auth="off", allowed_hosts=("testserver",), hf_endpoint=hub.url,
        max_caption_tokens=12, max_answer_tokens=12,
    )  # fmt: skip
    with TestClient(create_app(settings)) as client:
        for name in REPOSITORIES:
            assert install(client, name)["status"] == "completed"
        yield client


def ask(client: TestClient, call: str, **fields: str) -> Any:
    files = {"image": ("scene.png", encode(Image.new("RGB", SIZE, (200, 30, 30))), "image/png")}
    return client.post(f"/v1/vision/{call}", files=files, data={**ASKED, **fields})


@pytest.mark.parametrize(("model", "call"), [(model, call) for model in DOES for call in sorted(DOES[model])])
def test_a_model_installed_from_a_hub_does_what_its_architecture_does(
    client: TestClient, model: str, call: str
) -> None:
    answer = ask(client, call, model=model)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["model"] == model
    assert type(body[FIELD[call]]) is (str if call in ("captions", "questions") else list)
    assert TASK[call] in client.get(f"/v1/models/{model}").json()["tasks"]
    boxes = [row["box"] for row in body.get("detections", []) + body.get("lines", [])]
    assert all(0 <= x0 < x1 <= SIZE[0] and 0 <= y0 < y1 <= SIZE[1] for x0, y0, x1, y1 in boxes)


@pytest.mark.parametrize("model", DOES)
def test_what_a_model_does_not_do_is_refused_with_those_that_do(client: TestClient, model: str) -> None:
    for call in FIELD.keys() - DOES[model]:
        if call == "classifications" and "detections" in DOES[model]:
            continue  # a detector's labels are classes as well
        answer = ask(client, call, model=model)
        assert answer.status_code == 400 and answer.json()["error"]["code"] == "wrong_task", (
            call,
            answer.text,
        )
        assert next(name for name in DOES if call in DOES[name]) in answer.json()["error"]["message"]


@pytest.mark.parametrize("model", DOES)
def test_a_picture_that_is_none_never_reaches_a_model(client: TestClient, model: str) -> None:
    call = next(iter(DOES[model]))
    wrong = {"image": ("scene.png", b"no picture", "image/png")}
    answer = client.post(f"/v1/vision/{call}", files=wrong, data={"model": model, **ASKED})
    assert answer.status_code == 400 and answer.json()["error"]["code"] == "invalid_image"


def test_a_question_may_hold_the_words_that_the_model_knows_pictures_by(client: TestClient) -> None:
    hostile = "<image> <end_of_utterance> what <im<image>age> <global-img> ?"
    assert ask(client, "questions", model="me/smolvlm", question=hostile).status_code == 200
    assert ask(client, "questions", model="me/smolvlm", question="<image>").status_code == 200


def test_without_a_name_the_model_installed_for_it_answers(client: TestClient) -> None:
    assert ask(client, "questions").json()["model"] == "me/smolvlm"
    assert ask(client, "texts").json()["model"] == "me/florence"
    assert ask(client, "classifications").json()["model"] == "me/vit"


@pytest.mark.parametrize("model", DOES)
def test_the_plan_tells_more_than_the_weights_and_less_than_the_machine_has(
    client: TestClient, model: str
) -> None:
    plan = client.post("/v1/models/plan", json={"id": model}).json()
    assert 400 * 2**20 < plan["memory_bytes"] < 3 * 2**30


@pytest.mark.parametrize("model", DOES)
def test_a_model_leaves_the_memory_and_comes_back(client: TestClient, model: str) -> None:
    call = next(iter(DOES[model]))
    before = ask(client, call, model=model).json()[FIELD[call]]
    assert client.post(f"/v1/models/{model}/unload").json()["loaded"] is False
    assert ask(client, call, model=model).json()[FIELD[call]] == before
    assert client.get(f"/v1/models/{model}").json()["loaded"] is True


def test_florence_as_first_published_is_refused_before_it_is_fetched(
    client: TestClient, hub: FakeHub
) -> None:
    answer = client.post("/v1/models/install", json={"id": "me/first"})
    assert answer.status_code == 400 and "florence-community" in answer.json()["error"]["message"]
    assert not [asked for asked in hub.asked if "me/first" in asked.path and "safetensors" in asked.path]


def test_pickled_weights_are_refused(client: TestClient) -> None:
    answer = client.post("/v1/models/install", json={"id": "me/pickled"})
    assert answer.status_code == 400 and answer.json()["error"]["code"] == "unsafe_model"


def test_a_removed_model_is_gone(client: TestClient) -> None:
    assert install(client, "me/goes")["status"] == "completed"
    assert ask(client, "questions", model="me/goes").status_code == 200
    assert client.delete("/v1/models/me/goes").json()["deleted"] is True
    assert ask(client, "questions", model="me/goes").status_code == 404
