"""svc-rag keeps the contract of every service."""

from __future__ import annotations

import time
from typing import Any

import pytest
from fastapi.testclient import TestClient

from servicekit.contract import ServiceContract, TestKeys
from svc_rag.engine.hashing import HashingEmbedder


class TestSvcRag(ServiceContract):
    json_route = "/ask/question"
    engine_calls = ((HashingEmbedder, "embed"),)
    failing_call = ("/v1/embeddings", {"json": {"input": "a red circle"}})
    good_calls = {
        "/ask/question": {"question": "which colour?", "top_k": 3, "stream": False},
        "/v1/search": {"query": "red", "top_k": 3, "mode": "hybrid", "filter": {"document_ids": ["doc_1"]}},
        "/v1/embeddings": {"input": ["a", "b"], "encoding_format": "float"},
        "/v1/rerank": {"query": "red", "documents": ["a red circle", "a square"], "top_n": 1},
    }

    @pytest.fixture
    def keys(self, service) -> TestKeys:
        return service.keys

    @pytest.fixture
    def client(self, service) -> TestClient:
        return service.client

    url_fields = {"/v1/documents": "url"}

    def objects(self, client: Any, keys: TestKeys) -> dict[str, str]:
        headers = keys.headers("ana")
        file = {"file": ("notes.txt", b"The circle is red.")}
        taken = client.post("/v1/documents", headers=headers, files=file).json()
        deadline = time.monotonic() + 60
        while client.get(f"/v1/jobs/{taken['id']}", headers=headers).json()["status"] != "completed":
            assert time.monotonic() < deadline
            time.sleep(0.05)
        return {"document_id": taken["document_id"], "job_id": taken["id"]}
