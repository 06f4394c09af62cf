"""What the end-to-end tests share: both ways in, a picture, waiting for a job."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator

import httpx
import pytest
from PIL import Image, ImageDraw

from tests.conftest import Stack

JOB_TIMEOUT_S = 240


@pytest.fixture(params=["gateway", "own port"])
def way(request: pytest.FixtureRequest) -> str:
    """Every call works through the gateway and on the service's own port."""
    return str(request.param)


@pytest.fixture
def gateway(stack: Stack) -> Iterator[httpx.Client]:
    """A client of the gateway with the owner's key."""
    with stack.client() as client:
        yield client


def open_client(stack: Stack, way: str, service: str) -> httpx.Client:
    """Return a client of `service`, through the gateway or on its own port."""
    return stack.client("gateway" if way == "gateway" else service)


def picture(kind: str = "PNG") -> bytes:
    """Return a red circle on a blue background, 128 × 128."""
    image = Image.new("RGB", (512, 512), (40, 80, 200))
    ImageDraw.Draw(image).ellipse((106, 106, 406, 406), fill=(210, 40, 40))
    file = io.BytesIO()
    image.resize((128, 128), Image.Resampling.LANCZOS).save(file, kind)
    return file.getvalue()


def finished_job(client: httpx.Client, job_id: str) -> dict:
    """Wait until a job has ended and return it."""
    deadline = time.monotonic() + JOB_TIMEOUT_S
    while time.monotonic() < deadline:
        answer = client.get(f"/v1/jobs/{job_id}")
        if answer.status_code == 200 and answer.json()["status"] in ("completed", "failed", "cancelled"):
            return answer.json()
        time.sleep(0.2)
    raise AssertionError(f"job {job_id} did not end within {JOB_TIMEOUT_S} s")


def until(what: Callable[[], bool], within_s: float) -> float:
    """Poll until `what` holds; return the seconds it took."""
    started = time.monotonic()
    while time.monotonic() - started < within_s:
        try:
            if what():
                return time.monotonic() - started
        except httpx.HTTPError:
            pass
        time.sleep(0.05)
    raise AssertionError(f"not so within {within_s} s")
