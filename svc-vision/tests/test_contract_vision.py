"""svc-vision keeps the contract of every service."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from servicekit.contract import ServiceContract, TestKeys
from svc_vision.app import create_app
from svc_vision.engine.fake import FakeEngine
from svc_vision.settings import Settings


class TestSvcVision(ServiceContract):
    json_route = "/v1/vision/captions"

    @pytest.fixture
    def keys(self) -> TestKeys:
        return TestKeys()

    @pytest.fixture
    def client(self, tmp_path: Path, keys: TestKeys) -> Iterator[TestClient]:
        settings = Settings(data_dir=tmp_path, allowed_hosts=("testserver",))
        with TestClient(create_app(settings, FakeEngine(), keys.authenticator(settings))) as client:
            yield client
