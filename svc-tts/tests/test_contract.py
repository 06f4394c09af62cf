"""svc-tts keeps the contract of every service."""

from pathlib import Path

import pytest

from servicekit.contract import FlaskClient, ServiceContract, TestKeys
from svc_tts.app import create_app
from svc_tts.engine.fake import FakeEngine
from svc_tts.settings import Settings


class TestSvcTts(ServiceContract):
    json_route = "/v1/audio/speech"

    @pytest.fixture
    def keys(self) -> TestKeys:
        return TestKeys()

    @pytest.fixture
    def client(self, tmp_path: Path, keys: TestKeys) -> FlaskClient:
        settings = Settings(data_dir=tmp_path, allowed_hosts=("localhost",))
        return FlaskClient(create_app(settings, [FakeEngine()], keys.authenticator(settings)))
