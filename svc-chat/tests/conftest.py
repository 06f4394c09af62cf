"""A svc-chat with a fake engine, for tests of its API: in this thread, or behind a real port."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvicorn
from fastapi.testclient import TestClient
from openai import OpenAI

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


@dataclass(frozen=True)
class Served:
    """A service behind a port, its engine, and the official client of it."""

    url: str
    engine: FakeEngine
    openai: OpenAI


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """Return a function that serves a fake engine on a free port, so that callers can leave."""
    running: list[tuple[uvicorn.Server, threading.Thread]] = []

    def start(engine: FakeEngine | None = None, **settings: object) -> Served:
        engine = engine or FakeEngine()
        chosen = Settings(**{"data_dir": tmp_path, "auth": "off", **settings})  # type: ignore[arg-type]
        listener = socket.create_server(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        config = uvicorn.Config(create_app(chosen, engine), log_config=None, timeout_graceful_shutdown=2)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        running.append((server, thread))
        until(lambda: server.started)
        return Served(url, engine, OpenAI(base_url=f"{url}/v1", api_key="x", max_retries=0))

    yield start
    for server, thread in running:
        server.should_exit = True
        thread.join(10)


def until(what: Callable[[], object], within_s: float = 10.0) -> None:
    """Poll until `what` holds."""
    deadline = time.monotonic() + within_s
    while not what():
        assert time.monotonic() < deadline, "not so in time"
        time.sleep(0.01)


@pytest.fixture(name="until")
def _until() -> Callable[..., None]:
    """Return the function that polls."""
    return until
