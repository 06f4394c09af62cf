"""svc-tts keeps the contract of every service."""

from pathlib import Path
from typing import Any

import pytest

from servicekit.contract import FlaskClient, ServiceContract, TestKeys
from svc_tts.app import create_app
from svc_tts.engine.fake import FakeEngine
from svc_tts.settings import Settings


class TestSvcTts(ServiceContract):
    json_route = "/v1/audio/speech"
    engine_calls = ((FakeEngine, "speak"),)
    failing_call = ("/v1/audio/speech", {"json": {"input": "hello", "voice": "en-us"}})
    good_calls = {
        "/v1/audio/speech": {"input": "oi", "voice": "pt-br", "model": "fake-speech", "response_format": "wav",
                             "speed": 1.0, "stream_format": "audio"},
        "/text-to-audio": {"text": "oi", "voice": "pt-br", "language": "pt-br"},
    }  # fmt: skip

    @pytest.fixture
    def keys(self) -> TestKeys:
        return TestKeys()

    @pytest.fixture
    def client(self, tmp_path: Path, keys: TestKeys) -> FlaskClient:
        settings = Settings(data_dir=tmp_path, allowed_hosts=("localhost",))
        return FlaskClient(create_app(settings, [FakeEngine()], keys.authenticator(settings)))

    def objects(self, client: Any, keys: TestKeys) -> dict[str, str]:
        made = client.post("/text-to-audio", headers=keys.headers("ana"), json={"text": "oi"}).json()
        return {"item_id": made["media_id"], "name": made["url"].rsplit("/", 1)[1]}
