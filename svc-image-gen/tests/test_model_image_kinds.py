"""Every kind of pipeline that the catalogue names is installed, draws as its makers mean it to, and goes again."""

from __future__ import annotations

import io
import json
from base64 import b64decode
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from servicekit.contract import assert_error
from servicekit.hub.fake_hub import FakeHub, install, repository_of
from svc_image_gen.app import create_app
from svc_image_gen.settings import Settings
from tests.random_pipelines import Kind, make

pytestmark = pytest.mark.model
GENERATIONS = "/v1/images/generations"
#: id asked for, repository it stands for, kind, weights in 16 bits only
KINDS: list[tuple[str, str, Kind, bool]] = [
    ("me/sd", "me/sd", "sd", False),
    ("LCM_Dreamshaper_v7", "SimianLuo/LCM_Dreamshaper_v7", "lcm", False),
    ("sd-turbo", "stabilityai/sd-turbo", "turbo", True),
    ("sdxl-turbo", "stabilityai/sdxl-turbo", "xl-turbo", True),
]


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeHub]:
    folder = tmp_path_factory.mktemp("pipelines")
    found = {repo: repository_of(make(kind, folder / kind, half=half)) for _, repo, kind, half in KINDS}
    found["madebyollin/taesd"] = repository_of(make("taesd", folder / "taesd"))
    found["madebyollin/taesdxl"] = found["me/taesd-of-mine"] = found["madebyollin/taesd"]
    with FakeHub(found) as running:
        yield running


@pytest.fixture(scope="module")
def client(hub: FakeHub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("image"), auth="off", allowed_hosts=("testserver",), hf_endpoint=hub.url,
        niceness=0, preview_every_s=0.001,
    )  # fmt: skip
    with TestClient(create_app(settings)) as client:
        yield client


def draw(client: TestClient, model: str, **fields: Any) -> dict[str, Any]:
    asked = {"prompt": "um gato", "seed": 3, "size": "64x96", "response_format": "b64_json"} | fields
    answer = client.post(GENERATIONS, json=asked | {"model": model})
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def pixels(body: dict[str, Any]) -> bytes:
    return Image.open(io.BytesIO(b64decode(body["data"][0]["b64_json"]))).tobytes()


@pytest.fixture
def installed(client: TestClient) -> Iterator[Any]:
    """Installs by id, and removes everything afterwards."""
    there: list[str] = []

    def bring(model: str) -> None:
        assert install(client, model)["status"] == "completed"
        there.append(model)

    yield bring
    for model in there:
        assert client.delete(f"/v1/models/{model}").status_code == 200


@pytest.mark.parametrize(("model", "repo", "kind", "half"), KINDS)
def test_a_pipeline_is_planned_installed_draws_and_goes(
    client: TestClient, hub: FakeHub, model: str, repo: str, kind: Kind, half: bool
) -> None:
    plan = client.post("/v1/models/plan", json={"id": model}).json()
    assert plan["fit"] == "fits" and plan["noncommercial"] is ("turbo" in kind)
    names = {file["name"] for file in plan["files"]}
    assert ("unet/diffusion_pytorch_model.fp16.safetensors" in names) is half
    assert install(client, model)["status"] == "completed"
    steps = 20 if kind == "sd" else 4
    first = draw(client, model, steps=3 if kind == "sd" else None)
    assert Image.open(io.BytesIO(b64decode(first["data"][0]["b64_json"]))).size == (64, 96)
    assert first["parameters"]["num_inference_steps"] == (3 if kind == "sd" else steps)
    again, other = (draw(client, model, steps=3 if kind == "sd" else None, seed=seed) for seed in (3, 4))
    assert pixels(first) == pixels(again) != pixels(other)
    options = client.get(f"/v1/models/{model}").json()["options"]
    assert options["steps"]["default"] == steps and options["size"]["default"] == "256x256"
    assert client.post(f"/v1/models/{model}/unload").json()["loaded"] is False
    assert client.delete(f"/v1/models/{model}").json()["deleted"] is True
    assert client.post(GENERATIONS, json={"prompt": "x", "model": model}).status_code == 404


def test_a_consistency_model_takes_guidance_and_no_negative_prompt(
    client: TestClient, installed: Any
) -> None:
    model = "LCM_Dreamshaper_v7"
    installed(model)
    assert "negative_prompt" not in client.get(f"/v1/models/{model}").json()["options"]
    plain, guided = draw(client, model), draw(client, model, guidance_scale=2.0, negative_prompt="blur")
    assert plain["parameters"]["guidance_scale"] == 8.5 and pixels(plain) != pixels(guided)
    assert guided["parameters"]["negative_prompt"] == "" and guided["parameters"]["ignored"] == [
        "negative_prompt"
    ]
    for wrong, code in (
        ({"scheduler": "ddim"}, "scheduler_does_not_fit"),
        ({"steps": 51}, "too_many_steps"),
    ):
        answer = client.post(GENERATIONS, json={"prompt": "x", "model": model} | wrong)
        assert answer.status_code == 400
        assert_error(answer, code)
        assert answer.json()["error"]["param"] == next(iter(wrong))


def test_a_small_decoder_is_installed_beside_models_and_finishes_their_pictures(
    client: TestClient, installed: Any
) -> None:
    installed("sd-turbo")
    refused = client.post(GENERATIONS, json={"prompt": "x", "model": "sd-turbo", "decoder": "small"})
    assert refused.status_code == 400
    assert_error(refused, "decoder_not_installed")
    full = draw(client, "sd-turbo")
    installed("taesdxl")  # of another family's latents
    assert client.post(GENERATIONS, json=refused_body(refused)).status_code == 400
    installed("taesd")
    small = draw(client, "sd-turbo", decoder="small")
    assert small["parameters"]["decoder"] == "small" and pixels(small) != pixels(full)
    assert pixels(draw(client, "sd-turbo")) == pixels(full), "the model's own decoder is back"
    row = client.get("/v1/models/taesd").json()
    assert (row["task"], row["license"]) == ("image-decoder", "MIT")
    answer = client.post(GENERATIONS, json={"prompt": "x", "model": "taesd"})
    assert answer.status_code == 400 and "draws none itself" in answer.json()["error"]["message"]


def refused_body(answer: Any) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(answer.request.content)
    return body


def test_no_small_decoder_fits_the_built_in_model(client: TestClient, installed: Any) -> None:
    installed("taesd")
    answer = client.post(GENERATIONS, json={"prompt": "x", "decoder": "small"})
    assert answer.status_code == 400 and answer.json()["error"]["param"] == "decoder"
    assert draw(client, "oficina-draw", steps=1)["parameters"]["decoder"] == "full"


def index_of(hub: FakeHub, repo: str, **changes: Any) -> dict[str, bytes]:
    files = dict(hub.repositories[repo])
    files["model_index.json"] = json.dumps(json.loads(files["model_index.json"]) | changes).encode()
    return files


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"_class_name": "FluxPipeline"}, "FluxPipeline"),
        ({"_class_name": ["pipeline", "MyPipeline"]}, "of its own code"),
        ({"_class_name": None}, "of its own code"),
        ({"unet": ["my_unet", "MyUNet"]}, "no code that comes with a model"),
        ({"unet": ["diffusers", "UNet3DConditionModel"]}, "UNet3DConditionModel"),
        ({"text_encoder": [None, None]}, "'text_encoder'"),
    ],
)
def test_what_does_not_draw_here_is_refused_before_its_weights_are_fetched(
    client: TestClient, hub: FakeHub, changes: dict[str, Any], told: str
) -> None:
    hub.repositories["me/other"] = index_of(hub, "me/sd", **changes)
    hub.asked.clear()
    answer = client.post("/v1/models/install", json={"id": "me/other"})
    assert answer.status_code == 400
    assert_error(answer, "unsupported_pipeline")
    assert told in answer.json()["error"]["message"]
    assert not [asked for asked in hub.asked if asked.path.endswith(".safetensors")]


def test_a_decoder_that_nothing_is_known_of_is_refused(client: TestClient) -> None:
    answer = client.post("/v1/models/plan", json={"id": "me/taesd-of-mine"})
    assert answer.status_code == 400
    assert_error(answer, "unsupported_pipeline")
    assert "madebyollin/taesd" in answer.json()["error"]["message"]


def test_a_consistency_model_whose_index_names_no_scheduler_draws(
    client: TestClient, hub: FakeHub, installed: Any
) -> None:
    hub.repositories["me/lcm"] = index_of(hub, "SimianLuo/LCM_Dreamshaper_v7", scheduler=[None, None])
    installed("me/lcm")
    assert draw(client, "me/lcm")["parameters"]["num_inference_steps"] == 4
