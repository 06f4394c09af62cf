"""Fixtures of svc-vision: the app with a fake engine, and pictures."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from svc_vision.app import create_app
from svc_vision.engine.base import Engine
from svc_vision.engine.fake import FakeEngine
from svc_vision.settings import Settings


def encode(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    """Return the picture as a file."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.fixture
def red_png() -> bytes:
    """40 x 20 pixels, all (200, 10, 0)."""
    return encode(Image.new("RGB", (40, 20), (200, 10, 0)))


@pytest.fixture
def make_client(tmp_path: Path) -> Iterator[Callable[..., TestClient]]:
    """Return a function that starts the service with an engine and settings."""
    opened: list[TestClient] = []

    def make(engine: Engine | None = None, **settings: object) -> TestClient:
        chosen = Settings(data_dir=tmp_path, auth="off", allowed_hosts=("testserver",), **settings)
        client = TestClient(create_app(chosen, engine or FakeEngine()))
        client.__enter__()
        opened.append(client)
        return client

    yield make
    for client in opened:
        client.__exit__(None, None, None)


@pytest.fixture
def client(make_client: Callable[..., TestClient]) -> TestClient:
    return make_client()
