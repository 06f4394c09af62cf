"""A service that has no model at all says so, and is ready as soon as one is installed."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from servicekit.hub.fake_hub import FakeHub, install, repository_of
from svc_translate.app import create_app
from svc_translate.settings import Settings
from tests.readiness import until_told

pytestmark = pytest.mark.model
SENTENCE = {"text": "a large red circle on a blue background", "source": "en", "target": "pt"}


def test_the_first_model_installed_makes_the_service_ready(tmp_path: Path) -> None:
    with FakeHub({"me/mini-en-pt": repository_of(Settings().models_dir / "en-pt")}) as hub:
        settings = Settings(
            data_dir=tmp_path, models_dir=tmp_path / "nothing", auth="off", allowed_hosts=("testserver",),
            hf_endpoint=hub.url, apertium="off",
        )  # fmt: skip
        with TestClient(create_app(settings)) as client:
            before = until_told(client, "no translation model is installed")
            assert before["status"] == "not_ready"
            assert install(client, "me/mini-en-pt")["status"] == "completed"
            told = client.get("/readyz").json()
            assert told["models"] != before["models"], "results of other models are not to be told again"
            assert (told["status"], told["model"]) == ("ready", "me/mini-en-pt")
            assert client.post("/v1/translations", json=SENTENCE).status_code == 200
