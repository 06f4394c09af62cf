"""Waiting for what a service says of itself."""

from __future__ import annotations

import time
from typing import Any

from fastapi.testclient import TestClient


def until_told(client: TestClient, reason: str, timeout_s: float = 60.0) -> dict[str, Any]:
    """Return what `/readyz` says once its reason holds `reason`; a service needs a moment to look at what it has."""
    deadline = time.monotonic() + timeout_s
    while reason not in str((told := client.get("/readyz").json())["reason"]):
        assert time.monotonic() < deadline, told
        time.sleep(0.02)
    return dict(told)
