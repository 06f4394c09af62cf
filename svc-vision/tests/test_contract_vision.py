"""svc-vision keeps the contract of every service."""

import base64
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from servicekit.contract import ServiceContract, TestKeys
from servicekit.media import MediaStore
from svc_vision.app import create_app
from svc_vision.engine.fake import FakeEngine
from svc_vision.settings import Settings


def _png() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8), (200, 10, 0)).save(file, "PNG")
    return file.getvalue()


PICTURE = "data:image/png;base64," + base64.b64encode(_png()).decode()


class TestSvcVision(ServiceContract):
    json_route = "/v1/vision/captions"
    engine_calls = ((FakeEngine, "caption"),)
    failing_call = ("/v1/vision/captions", {"json": {"image_url": PICTURE}})
    good_calls = {
        "/v1/vision/captions": {"image_url": PICTURE, "model": "fake-captioner"},
        "/v1/vision/detections": {"image_url": PICTURE, "model": "fake-detector", "threshold": 0.5},
        "/v1/vision/classifications": {"image_url": PICTURE, "top_k": 2},
        "/v1/vision/analysis": {"image_url": PICTURE},
        "/v1/vision/questions": {"image_url": PICTURE, "question": "What is this?"},
        "/v1/vision/texts": {"image_url": PICTURE, "model": "fake-reader"},
    }

    @pytest.fixture
    def keys(self) -> TestKeys:
        return TestKeys()

    @pytest.fixture
    def client(self, tmp_path: Path, keys: TestKeys) -> Iterator[TestClient]:
        settings = Settings(data_dir=tmp_path, allowed_hosts=("testserver",))
        with TestClient(create_app(settings, FakeEngine(), keys.authenticator(settings))) as client:
            yield client

    url_fields = {
        f"/v1/vision/{call}": "image_url"
        for call in ("captions", "detections", "classifications", "analysis", "questions", "texts")
    }

    def objects(self, client: Any, keys: TestKeys) -> dict[str, str]:
        settings = client.app.state.settings
        store = MediaStore(settings.data_dir / "media", "upl")
        return {"item_id": store.put(_png(), "image/png", "ana").id}
