"""A svc-chat with a fake engine, for tests of its API."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from svc_chat.app import create_app
from svc_chat.engine.base import Describer, Engine
from svc_chat.engine.fake import FakeEngine
from svc_chat.settings import Settings


@pytest.fixture
def make_client(tmp_path: Path) -> Iterator[Callable[..., TestClient]]:
    """Return a function that starts the service with an engine and settings."""
    opened: list[TestClient] = []

    def make(
        engine: Engine | None = None, describer: Describer | None = None, **settings: object
    ) -> TestClient:
        chosen = Settings(data_dir=tmp_path, auth="off", allowed_hosts=("testserver",), **settings)
        client = TestClient(create_app(chosen, engine or FakeEngine(), describer=describer))
        client.__enter__()
        opened.append(client)
        return client

    yield make
    for client in opened:
        client.__exit__(None, None, None)


@pytest.fixture
def client(make_client: Callable[..., TestClient]) -> TestClient:
    return make_client()
