"""A service told to finish pictures in the small decoder does so where one is installed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from servicekit.hub.fake_hub import FakeHub, install, repository_of
from svc_image_gen.app import create_app
from svc_image_gen.settings import Settings
from tests.random_pipelines import make

pytestmark = pytest.mark.model
GENERATIONS = "/v1/images/generations"


def decoder_of(client: TestClient) -> Any:
    asked = {"prompt": "um gato", "size": "64x64", "steps": 1, "model": "sd-turbo"}
    answer = client.post(GENERATIONS, json=asked)
    assert answer.status_code == 200, answer.text
    return answer.json()["parameters"]["decoder"]


def offered(client: TestClient) -> Any:
    return client.get("/v1/models/sd-turbo").json()["options"].get("decoder")


def test_the_setting_chooses_the_small_decoder_while_it_is_installed(tmp_path: Path) -> None:
    files = {
        "madebyollin/taesd": repository_of(make("taesd", tmp_path / "taesd")),
        "stabilityai/sd-turbo": repository_of(make("turbo", tmp_path / "turbo", half=True)),
    }
    with FakeHub(files) as hub:
        settings = Settings(
            data_dir=tmp_path / "service", auth="off", allowed_hosts=("testserver",), hf_endpoint=hub.url,
            niceness=0, decoder="small", model_path=tmp_path / "none",
        )  # fmt: skip
        with TestClient(create_app(settings)) as client:
            assert install(client, "taesd")["status"] == "completed"
            nothing = client.post(GENERATIONS, json={"prompt": "x"})
            assert nothing.status_code == 404, "a decoder is no model to draw with"
            assert install(client, "sd-turbo")["status"] == "completed"
            assert offered(client) == {"default": "small", "choices": ["full", "small"]}
            assert decoder_of(client) == "small"
        with TestClient(create_app(settings)) as restarted:
            assert decoder_of(restarted) == "small"
            assert offered(restarted) == {"default": "small", "choices": ["full", "small"]}
            assert restarted.delete("/v1/models/taesd").status_code == 200
            assert decoder_of(restarted) == "full"
            assert offered(restarted) is None, "there is nothing to choose"
