"""svc-chat keeps the contract of every service."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from servicekit.contract import ServiceContract, TestKeys
from svc_chat.app import create_app
from svc_chat.engine.fake import FakeEngine
from svc_chat.settings import Settings

SAID = [{"role": "user", "content": "hello"}]


class TestSvcChat(ServiceContract):
    json_route = "/v1/chat/completions"
    engine_calls = ((FakeEngine, "generate"),)
    failing_call = ("/v1/chat/completions", {"json": {"messages": SAID}})
    good_calls = {
        "/v1/chat/completions": {
            "model": "fake-chat", "messages": SAID, "max_tokens": 4, "temperature": 0.5, "top_p": 0.9, "stop": ["x"],
            "seed": 1, "n": 1, "logprobs": True, "top_logprobs": 1, "user": "u", "stream": False,
        },
        "/v1/completions": {"model": "fake-chat", "prompt": "hello", "max_tokens": 4, "echo": False},
        "/v1/responses": {"input": "hello", "instructions": "be short", "metadata": {"a": "b"}, "store": True},
        "/v1/conversations": {"metadata": {"a": "b"}, "items": [{"type": "message", "role": "user", "content": "x"}]},
        "/v1/personas": {"name": "Ada", "description": "counts", "instructions": "count"},
        "/chat": {"msg": "hello"},
        "/api/chat": {"message": "hello", "model": "fake-chat", "stream": False},
    }  # fmt: skip

    @pytest.fixture
    def keys(self) -> TestKeys:
        return TestKeys()

    @pytest.fixture
    def client(self, tmp_path: Path, keys: TestKeys) -> Iterator[TestClient]:
        settings = Settings(data_dir=tmp_path, allowed_hosts=("testserver",))
        app = create_app(settings, FakeEngine(), keys.authenticator(settings))
        with TestClient(app) as client:
            yield client

    def objects(self, client: Any, keys: TestKeys) -> dict[str, str]:
        def made(path: str, body: dict[str, Any]) -> Any:
            answer = client.post(path, headers=keys.headers("ana"), json=body)
            assert answer.is_success, answer.text
            return answer.json()

        items = [{"type": "message", "role": "user", "content": "hello"}]
        conversation = made("/v1/conversations", {"items": items})["id"]
        listed = client.get(f"/v1/conversations/{conversation}/items", headers=keys.headers("ana"))
        sent = {"file": ("notes.txt", b"the circle is red")}
        file = client.post(
            "/v1/files", headers=keys.headers("ana"), files=sent, data={"purpose": "assistants"}
        )
        assert file.is_success, file.text
        return {
            "file_id": file.json()["id"],
            "persona_id": made("/v1/personas", {"name": "Ada", "description": "counts"})["id"],
            "conversation_id": conversation,
            "item_id": listed.json()["data"][0]["id"],
            "response_id": made("/v1/responses", {"input": "hello"})["id"],
        }
