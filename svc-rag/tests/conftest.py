"""A svc-rag with a fake chat and word hashes for vectors, for tests of its API."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from servicekit.contract import TestKeys
from svc_rag.app import create_app
from svc_rag.engine.fake import FakeChat
from svc_rag.settings import Settings


class Service:
    """One running service, its keys and its chat; users are this test's own."""

    def __init__(self, client: TestClient, keys: TestKeys, chat: FakeChat, data_dir: Path):
        self.client, self.keys, self.chat, self.data_dir = client, keys, chat, data_dir
        self.suffix = ""

    def for_one_test(self) -> Service:
        """Return the service with users nobody was before and a chat that is away."""
        self.suffix = uuid.uuid4().hex[:8]
        self.chat.text = None
        self.chat.asked.clear()
        self.chat.bearers.clear()
        return self

    def call(self, method: str, path: str, user: str = "ana", **options: Any) -> Any:
        """Send a request as `user`."""
        headers = {**self.keys.headers(user + self.suffix), **options.pop("headers", {})}
        return self.client.request(method, path, headers=headers, **options)

    def upload(self, content: bytes, name: str = "notes.txt", user: str = "ana", **options: Any) -> Any:
        """Send a file."""
        return self.call("POST", "/v1/documents", user, files={"file": (name, content)}, **options)

    def finish(self, job_id: str, user: str = "ana", timeout_s: float = 60) -> dict[str, Any]:
        """Wait until a job is final and return it."""
        return self.until(
            lambda job: job["status"] in ("completed", "failed", "cancelled"), job_id, user, timeout_s
        )

    def until(
        self, holds: Callable[[dict[str, Any]], bool], job_id: str, user: str = "ana", timeout_s: float = 60
    ) -> dict[str, Any]:
        """Poll a job until `holds`."""
        deadline = time.monotonic() + timeout_s
        while True:
            job: dict[str, Any] = self.call("GET", f"/v1/jobs/{job_id}", user).json()
            if holds(job):
                return job
            assert time.monotonic() < deadline, job
            time.sleep(0.02)

    def add(self, text: str, name: str = "notes.txt", user: str = "ana") -> str:
        """Upload a text and wait until it can be found; returns the document's id."""
        answer = self.upload(text.encode(), name, user)
        assert answer.status_code == 202, answer.text
        assert self.finish(answer.json()["id"], user)["status"] == "completed"
        return str(answer.json()["document_id"])


def started(data_dir: Path, chat: FakeChat | None = None, **settings: Any) -> Service:
    """Start a service; the caller leaves its client's context."""
    keys, chat = TestKeys(), chat or FakeChat()
    defaults = {"data_dir": data_dir, "allowed_hosts": ("testserver",), "embedder": "hashing"}
    chosen = Settings(**defaults | settings)
    client = TestClient(create_app(chosen, chat, keys.authenticator(chosen)))
    client.__enter__()
    return Service(client, keys, chat, data_dir)


@pytest.fixture(scope="module")
def module_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One service for all tests of a module: starting one takes seconds, and only one runs at a time."""
    service = started(tmp_path_factory.mktemp("service") / "data")
    yield service
    service.client.__exit__(None, None, None)


@pytest.fixture
def service(module_service: Service) -> Service:
    return module_service.for_one_test()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Service]]:
    """Return a function that starts a service of the test's own; the last one started is stopped first."""
    opened: list[Service] = []

    def stop() -> None:
        while opened:
            opened.pop().client.__exit__(None, None, None)

    def begin(chat: FakeChat | None = None, **settings: Any) -> Service:
        stop()
        opened.append(started(tmp_path / "data", chat, **settings))
        return opened[-1]

    yield begin
    stop()
