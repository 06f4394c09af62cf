"""A service that has no model at all says so, and is ready as soon as one is installed."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from servicekit.hub.fake_hub import FakeHub, install, repository_of
from svc_image_gen.app import create_app
from svc_image_gen.settings import Settings
from tests.readiness import until_told

pytestmark = pytest.mark.model
PICTURE = {"prompt": "a red circle", "size": "64x64", "steps": 2, "response_format": "b64_json"}


def test_the_first_model_installed_makes_the_service_ready_and_its_removal_unready(tmp_path: Path) -> None:
    with FakeHub({"me/draw": repository_of(Settings().builtin_model_path)}) as hub:
        settings = Settings(
            data_dir=tmp_path, model_path=tmp_path / "nothing", auth="off", allowed_hosts=("testserver",),
            hf_endpoint=hub.url, niceness=0,
        )  # fmt: skip
        with TestClient(create_app(settings)) as client:
            before = until_told(client, "no image model is installed")
            assert before["status"] == "not_ready"
            assert client.post("/v1/images/generations", json=PICTURE).status_code == 404
            assert install(client, "me/draw")["status"] == "completed"
            told = client.get("/readyz").json()
            assert told["models"] != before["models"], "results of other models are not to be told again"
            assert (told["status"], told["model"]) == ("ready", "me/draw")
            assert client.post("/v1/images/generations", json=PICTURE).status_code == 200
            assert client.delete("/v1/models/me/draw").json()["deleted"] is True
            assert client.get("/readyz").status_code == 503
