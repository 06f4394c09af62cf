"""svc-image-gen keeps the contract of every service."""

import pytest
from fastapi.testclient import TestClient

from servicekit.contract import ServiceContract


class TestSvcImageGen(ServiceContract):
    json_route = "/v1/images/generations"

    @pytest.fixture
    def client(self, anonymous: TestClient) -> TestClient:
        return anonymous
