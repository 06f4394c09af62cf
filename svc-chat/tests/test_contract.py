"""svc-chat keeps the contract of every service."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from servicekit.contract import ServiceContract, TestKeys
from svc_chat.app import create_app
from svc_chat.engine.fake import FakeEngine
from svc_chat.settings import Settings


class TestSvcChat(ServiceContract):
    json_route = "/v1/chat/completions"

    @pytest.fixture
    def keys(self) -> TestKeys:
        return TestKeys()

    @pytest.fixture
    def client(self, tmp_path: Path, keys: TestKeys) -> Iterator[TestClient]:
        settings = Settings(data_dir=tmp_path, allowed_hosts=("testserver",))
        app = create_app(settings, FakeEngine(), keys.authenticator(settings))
        with TestClient(app) as client:
            yield client
