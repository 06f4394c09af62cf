"""svc-rag keeps the contract of every service."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from servicekit.contract import ServiceContract, TestKeys


class TestSvcRag(ServiceContract):
    json_route = "/ask/question"

    @pytest.fixture
    def keys(self, service) -> TestKeys:
        return service.keys

    @pytest.fixture
    def client(self, service) -> TestClient:
        return service.client
