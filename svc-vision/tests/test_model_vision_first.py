"""A service that has no model at all says so, and is ready as soon as one is installed."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from servicekit.hub.fake_hub import FakeHub, install, repository_of
from svc_vision.app import create_app
from svc_vision.settings import Settings
from tests.readiness import until_told

from .scenes import picture

pytestmark = pytest.mark.model


def test_the_first_model_installed_makes_the_service_ready(tmp_path: Path) -> None:
    with FakeHub({"me/captions": repository_of(Settings().models_dir / "captioner")}) as hub:
        settings = Settings(
            data_dir=tmp_path, models_dir=tmp_path / "nothing", auth="off", allowed_hosts=("testserver",),
            hf_endpoint=hub.url,
        )  # fmt: skip
        with TestClient(create_app(settings)) as client:
            before = until_told(client, "no vision model is installed")
            assert before["status"] == "not_ready"
            assert client.post("/v1/vision/captions", **picture()).json()["error"]["code"] == "no_model"
            assert install(client, "me/captions")["status"] == "completed"
            told = client.get("/readyz").json()
            assert told["models"] != before["models"], "results of other models are not to be told again"
            assert (told["status"], told["model"]) == ("ready", "me/captions")
            assert "red" in client.post("/v1/vision/captions", **picture()).json()["text"]
