"""A svc-rag with a fake chat and word hashes for vectors, for tests of its API."""

from __future__ import annotations

import time
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
    """One running service, its keys and its chat."""

    def __init__(self, client: TestClient, keys: TestKeys, chat: FakeChat):
        self.client, self.keys, self.chat = client, keys, chat

    def call(self, method: str, path: str, user: str = "ana", **options: Any) -> Any:
        """Send a request as `user`."""
        headers = {**self.keys.headers(user), **options.pop("headers", {})}
        return self.client.request(method, path, headers=headers, **options)

    def upload(self, content: bytes, name: str = "notes.txt", user: str = "ana", **options: Any) -> Any:
        """Send a file."""
        return self.call("POST", "/v1/documents", user, files={"file": (name, content)}, **options)

    def finish(self, job_id: str, user: str = "ana", timeout_s: float = 60) -> dict[str, Any]:
        """Wait until a job is final and return it."""
        return self.until(lambda job: job["status"] in ("completed", "failed", "cancelled"), job_id, user, timeout_s)

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


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Service]]:
    """Return a function that starts the service; the last one started is stopped first."""
    opened: list[TestClient] = []

    def stop() -> None:
        while opened:
            opened.pop().__exit__(None, None, None)

    def begin(chat: FakeChat | None = None, **settings: Any) -> Service:
        stop()
        keys, chat = TestKeys(), chat or FakeChat()
        chosen = Settings(
            **{"data_dir": tmp_path / "data", "allowed_hosts": ("testserver",), "embedder": "hashing"} | settings
        )
        client = TestClient(create_app(chosen, chat, keys.authenticator(chosen)))
        client.__enter__()
        opened.append(client)
        return Service(client, keys, chat)

    yield begin
    stop()


@pytest.fixture
def service(start: Callable[..., Service]) -> Service:
    return start()
