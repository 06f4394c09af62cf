"""Code runs in the stack's own sandbox, for whom the gateway knows, and the gateway lets nobody else near it."""

from __future__ import annotations

import httpx
import pytest

from deploy import machine
from tests.conftest import Stack

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(machine.sandbox_missing() is not None, reason=str(machine.sandbox_missing())),
]
CODE = """
import pandas as pd
sales = pd.read_csv("sales.csv")
sales.plot.bar(x="region", y="value", legend=False)
"""


def test_a_table_becomes_a_chart_with_its_values(stack: Stack) -> None:
    with stack.client("svc-code") as client:
        client.put("/v1/sessions/e2e/files/sales.csv", content=b"region,value\nNorth,3\nSouth,5\n")
        done = client.post("/v1/sessions/e2e/execute", json={"code": CODE}).json()
        assert done["error"] is None
        series = done["charts"][0]["data"]["axes"][0]["series"][0]
        assert (series["x"], series["y"]) == (["North", "South"], [3, 5])
        picture = client.get(f"/v1/sessions/e2e/files/{done['charts'][0]['file']}").content
        assert picture[:8] == b"\x89PNG\r\n\x1a\n"
        assert client.delete("/v1/sessions/e2e").status_code == 204


def test_the_gateway_shows_it_and_forwards_nothing_to_it(stack: Stack) -> None:
    with stack.client() as gateway:
        assert gateway.get("/api/status").json()["services"]["code"]["status"] == "ready"
        assert gateway.post("/v1/sessions/e2e/execute", json={"code": "1"}).status_code == 404


def test_nobody_runs_code_without_credentials(stack: Stack) -> None:
    for method, path in [
        ("POST", "/v1/sessions/a/execute"),
        ("GET", "/v1/sessions"),
        ("PUT", "/v1/sessions/a/files/x"),
        ("GET", "/v1/sessions/a/files"),
        ("DELETE", "/v1/sessions/a"),
    ]:
        answer = httpx.request(method, stack.urls["svc-code"] + path, json={"code": "1"}, timeout=60)
        assert answer.status_code == 401, path
