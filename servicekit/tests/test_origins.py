"""With AUTH=off a page of another site changes nothing, on either framework."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from flask import Flask

from servicekit import asgi, wsgi
from servicekit.contract import FlaskClient
from servicekit.contract.doors import FOREIGN_ORIGINS, METHODS
from servicekit.health import Readiness
from servicekit.hosts import is_allowed
from servicekit.settings import ServiceSettings

SETTINGS = ServiceSettings(auth="off", allowed_hosts=("localhost",), cors_origins=("http://page.example",))


@pytest.fixture(params=["fastapi", "flask"])
def service(request: pytest.FixtureRequest) -> Iterator[tuple[Any, list[str]]]:
    """A client of a service with AUTH=off, and what it changed."""
    changed: list[str] = []
    if request.param == "fastapi":
        app = FastAPI()
        asgi.install(app, SETTINGS, readiness=Readiness("x"))
        for method in METHODS:
            app.add_api_route("/thing", lambda m=method: changed.append(m), methods=[method])
        yield TestClient(app, base_url="http://localhost"), changed
        return
    plain = Flask("x")
    wsgi.install(plain, SETTINGS, readiness=Readiness("x"))

    @plain.route("/thing", methods=list(METHODS))
    def thing() -> dict[str, str]:
        from flask import request as asked

        changed.append(asked.method)
        return {}

    yield FlaskClient(plain), changed


@pytest.mark.parametrize("origin", FOREIGN_ORIGINS)
def test_a_page_of_another_site_changes_nothing(service: tuple[Any, list[str]], origin: str) -> None:
    client, changed = service
    for method in METHODS[1:]:
        for headers in ({"Origin": origin}, {"Origin": origin, "Sec-Fetch-Site": "same-origin"}):
            answer = client.request(method, "/thing", headers=headers)
            assert answer.status_code == 403, method
            assert answer.json()["error"]["code"] == "origin_not_allowed"
            assert "access-control-allow-origin" not in answer.headers
    for site in ("cross-site", "same-site"):
        assert client.request("POST", "/thing", headers={"Sec-Fetch-Site": site}).status_code == 403
    assert changed == []


def test_the_own_page_listed_ones_and_programs_may(service: tuple[Any, list[str]]) -> None:
    client, changed = service
    for headers in (
        {}, {"Origin": "http://localhost"}, {"Origin": "http://page.example"}, {"Sec-Fetch-Site": "same-origin"}
    ):  # fmt: skip
        assert client.request("POST", "/thing", headers=headers).status_code == 200, headers
    assert client.request("GET", "/thing", headers={"Origin": "http://evil.example"}).status_code == 200
    assert len(changed) == 5


@pytest.mark.parametrize(
    "host",
    ["localhost@evil.example", "localhost, evil.example", "localhost/x", "localhost:80@evil.example", "a b"],
)
def test_a_host_that_two_readers_read_differently_is_refused(host: str) -> None:
    assert not is_allowed(host, ("localhost", "*.localhost"))
