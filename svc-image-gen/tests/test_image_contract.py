"""svc-image-gen keeps the contract of every service."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from servicekit.contract import ServiceContract, TestKeys
from svc_image_gen.engine.fake import FakeEngine


class TestSvcImageGen(ServiceContract):
    json_route = "/v1/images/generations"
    engine_calls = ((FakeEngine, "draw"),)
    failing_call = ("/v1/images/generations", {"json": {"prompt": "a red circle"}})
    generated_requests = 60  # each that fits is drawn, as a job
    good_calls = {"/v1/images/generations": {"prompt": "a red circle", "size": "64x64", "n": 1, "seed": 1}}

    @pytest.fixture
    def client(self, anonymous: TestClient) -> TestClient:
        return anonymous

    def objects(self, client: Any, keys: TestKeys) -> dict[str, str]:
        headers = keys.headers("ana")
        asked = {"prompt": "a red circle", "size": "64x64"}
        drawn = client.post("/v1/images/generations", headers=headers, json=asked)
        assert drawn.is_success, drawn.text
        jobs = client.get("/v1/jobs", headers=headers).json()["data"]
        return {"item_id": drawn.json()["data"][0]["id"], "job_id": jobs[0]["id"]}
