"""svc-translate keeps the contract of every service."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from servicekit.contract import ServiceContract, TestKeys
from svc_translate.app import create_app
from svc_translate.engine.fake import FakeEngine
from svc_translate.settings import Settings


class TestSvcTranslate(ServiceContract):
    json_route = "/v1/translations"
    engine_calls = ((FakeEngine, "translate"),)
    failing_call = ("/v1/translations", {"json": {"text": "red circle", "source": "en", "target": "pt"}})
    good_calls = {
        "/v1/translations": {"text": ["red", "blue"], "source": "en", "target": "pt", "model": "fake"},
        "/translate": {"q": "red circle", "source": "en", "target": "pt"},
        "/detect": {"q": "a red circle"},
    }

    @pytest.fixture
    def keys(self) -> TestKeys:
        return TestKeys()

    @pytest.fixture
    def client(self, tmp_path: Path, keys: TestKeys) -> Iterator[TestClient]:
        settings = Settings(data_dir=tmp_path, allowed_hosts=("testserver",))
        with TestClient(create_app(settings, FakeEngine(), keys.authenticator(settings))) as client:
            yield client
