"""Pictures that this system keeps are looked at by their address, for their owner alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastapi.testclient import TestClient

from servicekit.contract import TestKeys, assert_error
from servicekit.media import OwnMedia
from svc_vision.app import create_app
from svc_vision.engine.fake import FakeEngine
from svc_vision.settings import Settings

PATH = "/media/img_" + "a" * 32


@pytest.fixture
def keys() -> TestKeys:
    return TestKeys()


@pytest.fixture
def client(tmp_path: Path, keys: TestKeys, red_png: bytes) -> Iterator[TestClient]:
    mine = keys.headers("ana")["Authorization"]

    def gateway(request: httpx.Request) -> httpx.Response:
        if request.headers["authorization"] != mine or request.url.path != PATH:
            return httpx.Response(404)
        return httpx.Response(200, content=red_png, headers={"content-type": "image/png"})

    settings = Settings(data_dir=tmp_path, allowed_hosts=("testserver",))
    own = OwnMedia("http://gateway", settings.allowed_hosts, httpx.MockTransport(gateway))
    app = create_app(settings, FakeEngine(), keys.authenticator(settings), own)
    with TestClient(app, headers={"Authorization": mine}) as opened:
        yield opened


@pytest.mark.parametrize("url", [PATH, f"http://testserver{PATH}?token=a.b.c"])
@pytest.mark.parametrize("call", ["captions", "analysis"])
def test_the_owners_picture_is_looked_at(client: TestClient, url: str, call: str) -> None:
    answer = client.post(f"/v1/vision/{call}", json={"image_url": url})
    assert answer.status_code == 200, answer.text
    assert "image_url" not in answer.json()  # it is kept already
    form = client.post(f"/v1/vision/{call}", files={"image_url": (None, url)})
    assert form.status_code == 200, form.text


def test_anybody_elses_is_missing_as_one_that_is_not_there(client: TestClient, keys: TestKeys) -> None:
    body = {"image_url": PATH}
    foreign = client.post("/v1/vision/captions", json=body, headers=keys.headers("bia"))
    missing = client.post("/v1/vision/captions", json={"image_url": PATH[:-1] + "b"})
    for answer in (foreign, missing):
        assert answer.status_code == 404 and answer.json()["error"]["param"] == "image_url"
        assert_error(answer, "not_found")
