"""Many large calls for embeddings hold up nobody else, and too many are refused."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from svc_rag.api.embeddings import AT_ONCE, WAITING
from svc_rag.engine.hashing import HashingEmbedder

TEXT = "a text nobody else embeds"


def test_calls_for_embeddings_take_turns_and_leave_the_service_to_others(
    service: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    go, embedding = threading.Event(), []
    real = HashingEmbedder.embed

    def slow(self: HashingEmbedder, texts: list[str], *args: Any) -> Any:
        if texts == [TEXT]:  # not what the service embeds by itself as it starts
            embedding.append(1)
            assert go.wait(300)
        return real(self, texts, *args)

    monkeypatch.setattr(HashingEmbedder, "embed", slow)
    body = {"input": TEXT}
    most = AT_ONCE + WAITING
    try:
        with ThreadPoolExecutor(most + 6) as callers:
            asked = [
                callers.submit(service.call, "POST", "/v1/embeddings", json=body) for _ in range(most + 6)
            ]
            deadline = time.monotonic() + 60
            while sum(one.done() for one in asked) < 6 and time.monotonic() < deadline:
                time.sleep(0.02)
            refused = [one.result() for one in asked if one.done()]
            others = callers.submit(service.call, "GET", "/v1/documents")
            try:
                assert others.result(60).status_code == 200
                while len(embedding) < AT_ONCE and time.monotonic() < deadline + 60:
                    time.sleep(0.02)
                assert len(embedding) == AT_ONCE
                assert [(one.status_code, one.headers["retry-after"]) for one in refused] == [(429, "5")] * 6
            finally:
                go.set()
            assert sum(one.result(60).status_code == 200 for one in asked) == most
    finally:
        go.set()
