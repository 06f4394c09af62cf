"""A svc-image-gen with a fake engine, for tests of its API. Starting one takes a second: one per module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from servicekit.contract import TestKeys
from svc_image_gen.app import create_app
from svc_image_gen.engine.fake import FakeEngine
from svc_image_gen.settings import Settings


@pytest.fixture(scope="module")
def keys() -> TestKeys:
    return TestKeys()


@pytest.fixture(scope="module")
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture(scope="module")
def anonymous(
    tmp_path_factory: pytest.TempPathFactory, keys: TestKeys, engine: FakeEngine
) -> Iterator[TestClient]:
    folder = tmp_path_factory.mktemp("image")
    settings = Settings(data_dir=folder, allowed_hosts=("testserver",), preview_every_s=0.001)
    with TestClient(create_app(settings, engine, keys.authenticator(settings), keys.links())) as client:
        yield client


@pytest.fixture
def client(anonymous: TestClient, keys: TestKeys) -> Iterator[TestClient]:
    """The service, called by ana."""
    anonymous.headers.update(keys.headers("ana"))
    yield anonymous
    del anonymous.headers["Authorization"]
