"""Pictures are drawn by jobs, in OpenAI's shape and in the older document's."""

from __future__ import annotations

import base64
import io
import json
import time
from typing import Any

import openai
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from servicekit.contract import TestKeys, assert_error
from svc_image_gen.engine.fake import FakeEngine

GENERATIONS = "/v1/images/generations"


def picture(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content))


def generate(client: TestClient, **fields: Any) -> Any:
    return client.post(GENERATIONS, json={"prompt": "um círculo vermelho", **fields})


def test_a_picture_is_drawn_and_read_back(client: TestClient) -> None:
    answer = generate(client, size="256x128", seed=5)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    content = client.get(body["data"][0]["url"])
    assert content.headers["content-type"] == "image/png"
    assert picture(content.content).size == (256, 128)
    assert body["model"] == "fake" and body["device"] == "cpu"
    assert {"queue_ms", "load_ms", "run_ms"} == body["timing"].keys()
    assert body["data"][0]["native_size"] == [64, 64]


def test_a_picture_tells_in_its_file_how_it_was_made(client: TestClient) -> None:
    url = generate(client, seed=5, steps=3, negative_prompt="blur").json()["data"][0]["url"]
    told = json.loads(picture(client.get(url).content).info["parameters"])
    assert told["prompt"] == "um círculo vermelho" and told["negative_prompt"] == "blur"
    assert (told["seed"], told["num_inference_steps"], told["native_size"]) == (5, 3, [64, 64])


def test_what_has_no_effect_is_told_and_not_written_into_the_picture(client: TestClient) -> None:
    told = generate(client, negative_prompt="blur", guidance_scale=1.0).json()["parameters"]
    assert (told["negative_prompt"], told["ignored"]) == ("", ["negative_prompt"])
    heeded = generate(client, negative_prompt="blur", guidance_scale=1.5).json()["parameters"]
    assert (heeded["negative_prompt"], heeded["ignored"]) == ("blur", [])


def test_the_consistency_sampler_takes_fifty_steps_at_most(client: TestClient) -> None:
    assert generate(client, scheduler="lcm", steps=50).status_code == 200
    answer = generate(client, scheduler="lcm", steps=51)
    assert answer.status_code == 400 and answer.json()["error"]["param"] == "steps"
    older = {"prompt": "x", "scheduler": "lcm", "num_inference_steps": 51}
    answer = client.post("/api/generate-image", json=older)
    assert answer.status_code == 400 and answer.json()["error"]["param"] == "num_inference_steps"


def test_n_pictures_have_seeds_one_after_the_other(client: TestClient) -> None:
    body = generate(client, n=3, seed=7).json()
    assert [row["seed"] for row in body["data"]] == [7, 8, 9]
    assert len({row["url"] for row in body["data"]}) == 3


def test_the_same_seed_gives_the_same_picture_and_no_seed_a_new_one(client: TestClient) -> None:
    first, again = (generate(client, seed=3, response_format="b64_json").json()["data"][0] for _ in range(2))
    assert base64.b64decode(first["b64_json"]) == base64.b64decode(again["b64_json"])
    assert generate(client).json()["data"][0]["seed"] != generate(client).json()["data"][0]["seed"]


def test_quality_scales_the_recommended_steps(client: TestClient, engine: FakeEngine) -> None:
    generate(client, quality="hd")
    assert engine.requests[-1].steps == 6
    generate(client, quality="low")
    assert engine.requests[-1].steps == 2


def test_the_openai_package_draws(client: TestClient, keys: TestKeys) -> None:
    ai = openai.OpenAI(api_key=keys.token("ana"), base_url="http://testserver/v1", http_client=client)
    drawn = ai.images.generate(model="dall-e-3", prompt="a star", size="512x512", response_format="b64_json")
    assert drawn.data and picture(base64.b64decode(drawn.data[0].b64_json or "")).size == (512, 512)
    newer = ai.images.generate(model="gpt-image-1", prompt="a star", size="auto")
    assert newer.data and newer.data[0].b64_json


def test_the_older_call_answers_in_its_own_shape(client: TestClient) -> None:
    sent = {"prompt": "um gato", "negative_prompt": "", "width": 320, "height": 256, "num_inference_steps": 5}
    body = client.post("/api/generate-image", json={**sent, "guidance_scale": 2.5}).json()
    parameters = body["metadata"]["parameters"]
    assert body["metadata"]["prompt"] == "um gato"
    assert (parameters["width"], parameters["num_inference_steps"], parameters["guidance_scale"]) == (
        320,
        5,
        2.5,
    )
    assert picture(client.get(body["image_url"]).content).size == (320, 256)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"prompt": ""}, "prompt"),
        ({"prompt": " \n "}, "prompt"),
        ({"prompt": "x" * 4001}, "prompt"),
        ({"prompt": 7}, "prompt"),
        ({"n": 0}, "n"),
        ({"n": 5}, "n"),
        ({"size": "100x100"}, "size"),
        ({"size": "32x512"}, "size"),
        ({"size": "2048x2048"}, "size"),
        ({"size": "big"}, "size"),
        ({"steps": 0}, "steps"),
        ({"steps": 101}, "steps"),
        ({"guidance_scale": -1}, "guidance_scale"),
        ({"seed": -1}, "seed"),
        ({"scheduler": "magic"}, "scheduler"),
        ({"decoder": "tiny"}, "decoder"),
        ({"decoder": "small"}, "decoder"),
        ({"response_format": "jpeg"}, "response_format"),
        ({"quality": "best"}, "quality"),
        ({"stream": True}, "stream"),
    ],
)
def test_a_wrong_field_is_named(client: TestClient, fields: dict[str, Any], param: str) -> None:
    answer = generate(client, **fields)
    assert answer.status_code == 400
    assert_error(answer)
    assert answer.json()["error"]["param"] == param


@pytest.mark.parametrize(
    "fields",
    [
        {"width": 513},
        {"width": 0},
        {"height": 32},
        {"width": 10**9},
        {"num_inference_steps": 101},
        {"prompt": None},
    ],
)
def test_a_wrong_field_of_the_older_call_is_named(client: TestClient, fields: dict[str, Any]) -> None:
    answer = client.post("/api/generate-image", json={"prompt": "x", **fields})
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == next(iter(fields))


def test_infinity_is_no_guidance(client: TestClient) -> None:
    body = b'{"prompt": "x", "guidance_scale": Infinity}'
    answer = client.post(GENERATIONS, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400


def test_an_unknown_model_is_a_404_that_says_what_is_there(client: TestClient) -> None:
    answer = generate(client, model="midjourney")
    assert answer.status_code == 404
    assert_error(answer, "model_not_found")
    assert "fake" in answer.json()["error"]["message"]


def test_the_aliases_are_listed_as_such(client: TestClient) -> None:
    rows = {row["id"]: row for row in client.get("/v1/models").json()["data"]}
    assert rows["dall-e-3"]["alias_of"] == "fake" and rows["fake"]["task"] == "image"
    assert client.get("/v1/catalogue").json()["data"][0]["license"] == "MIT"
    steps = rows["fake"]["options"]["steps"]
    assert (steps["default"], steps["minimum"], steps["maximum"]) == (4, 1, 100)


def test_a_job_can_be_preferred_to_waiting(client: TestClient) -> None:
    answer = client.post(
        GENERATIONS, json={"prompt": "x", "steps": 4}, headers={"Prefer": "respond-async, wait=10"}
    )
    assert answer.status_code == 202 and answer.headers["location"] == f"/v1/jobs/{answer.json()['id']}"
    events = client.get(answer.headers["location"] + "/events").text
    last = json.loads([line for line in events.splitlines() if line.startswith("data: ")][-1][6:])
    assert last["status"] == "completed" and last["percent"] == 100
    assert client.get(last["result"]["pictures"][0]["url"]).status_code == 200


def test_the_same_idempotency_key_draws_once(client: TestClient, engine: FakeEngine) -> None:
    headers = {"Idempotency-Key": "one"}
    before = len(engine.requests)
    drawn = {
        client.post(GENERATIONS, json={"prompt": "x", "seed": 1}, headers=headers).json()["data"][0]["id"]
        for _ in range(3)
    }
    assert len(drawn) == 1 and len(engine.requests) == before + 1


def test_the_same_key_with_another_order_is_refused(client: TestClient) -> None:
    headers = {"Idempotency-Key": "two"}
    for _ in range(2):  # without a seed as well
        assert client.post(GENERATIONS, json={"prompt": "x"}, headers=headers).status_code == 200
    other = client.post(GENERATIONS, json={"prompt": "y"}, headers=headers)
    assert other.status_code == 422 and other.json()["error"]["code"] == "idempotency_key_reused"


def test_pictures_and_jobs_belong_to_who_asked_for_them(client: TestClient, keys: TestKeys) -> None:
    body = generate(client).json()
    bob = keys.headers("bob")
    address = body["data"][0]["url"]
    for method, path in (
        ("GET", address.partition("?")[0]),
        ("DELETE", address),
        ("GET", f"/v1/jobs/{body['job_id']}"),
        ("GET", f"/v1/jobs/{body['job_id']}/events"),
        ("DELETE", f"/v1/jobs/{body['job_id']}"),
    ):
        assert client.request(method, path, headers=bob).status_code == 404, (method, path)


def test_a_cancelled_job_ends_and_leaves_no_picture(client: TestClient, engine: FakeEngine) -> None:
    engine._step_s = 0.5  # it would draw for 50 s
    try:
        before = len(list((client.app.state.settings.data_dir / "media").iterdir()))  # type: ignore[attr-defined]
        job = client.post(
            GENERATIONS, json={"prompt": "x", "steps": 100}, headers={"Prefer": "respond-async"}
        ).json()
        deadline = time.monotonic() + 60
        seen: dict[str, Any] = {}
        while not seen.get("preview_url") and time.monotonic() < deadline:
            seen = client.get(f"/v1/jobs/{job['id']}").json()
        assert seen["status"] == "running" and 0 < seen["step"] < 100 and seen["total"] == 100
        assert picture(client.get(seen["preview_url"]).content).size == (64, 64)
        client.delete(f"/v1/jobs/{job['id']}")
        while seen["status"] != "cancelled" and time.monotonic() < deadline:
            seen = client.get(f"/v1/jobs/{job['id']}").json()
        assert seen["status"] == "cancelled" and seen["result"] is None
        after = len(list((client.app.state.settings.data_dir / "media").iterdir()))  # type: ignore[attr-defined]
        assert after == before
    finally:
        engine._step_s = 0.0
