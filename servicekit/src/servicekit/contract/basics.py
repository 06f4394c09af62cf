"""What `install` promises: health, errors, bodies, identity, checked over real requests."""

from __future__ import annotations

import re
from typing import Any, ClassVar

import pytest

from servicekit.contract.keys import TestKeys


class Basics:
    """The ordinary promises."""

    protected_route: ClassVar[str] = "/v1/models"
    json_route: ClassVar[str] = ""
    """A POST route that reads a JSON object with at least one required field."""

    def test_it_is_alive_without_credentials(self, client: Any) -> None:
        answer = client.get("/healthz")
        assert answer.status_code == 200
        assert answer.json()["status"] == "ok"

    def test_it_tells_whether_it_is_ready(self, client: Any) -> None:
        answer = client.get("/readyz")
        assert answer.status_code in (200, 503)
        report = answer.json()
        assert report["status"] in ("ready", "loading", "not_ready")
        assert {"service", "version", "model", "device", "queue", "reason"} <= report.keys()
        assert {"running", "waiting"} <= report["queue"].keys()

    def test_it_serves_metrics(self, client: Any) -> None:
        client.get("/healthz")
        assert "http_requests_total" in client.get("/metrics").text

    def test_its_calls_are_shown_on_a_page_that_needs_nobody_else(self, client: Any) -> None:
        page = client.get("/docs")
        assert page.status_code == 200
        assert not re.search(r"(src|href)=.?(https?:)?//", page.text)
        sources = re.findall(r'(?:src|href)="(/[^"]+)"', page.text)
        assert len(sources) == 2
        for source in sources:
            assert client.get(source).status_code == 200, source
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "http" not in policy
        assert client.get("/openapi.json").json()["security"] == [{"key": []}]

    def test_a_call_without_credentials_is_refused(self, client: Any) -> None:
        answer = client.get(self.protected_route)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert_error(answer, "invalid_credentials")

    def test_a_signed_identity_is_let_in(self, client: Any, keys: TestKeys) -> None:
        assert client.get(self.protected_route, headers=keys.headers()).status_code == 200

    def test_the_request_id_comes_back_when_harmless(self, client: Any) -> None:
        kept = client.get("/healthz", headers={"x-request-id": "abc-123"})
        assert kept.headers["x-request-id"] == "abc-123"
        replaced = client.get("/healthz", headers={"x-request-id": "a b\tc" * 30})
        assert re.fullmatch(r"[0-9a-f]{32}", replaced.headers["x-request-id"])

    def test_an_unknown_path_is_a_404_in_the_error_shape(self, client: Any, keys: TestKeys) -> None:
        answer = client.get("/no/such/path", headers=keys.headers())
        assert answer.status_code == 404
        assert_error(answer, "not_found")

    def test_a_wrong_method_is_a_405_in_the_error_shape(self, client: Any, keys: TestKeys) -> None:
        answer = client.request("PUT", "/healthz", headers=keys.headers())
        assert answer.status_code == 405
        assert_error(answer, "method_not_allowed")

    def test_a_foreign_host_is_refused(self, client: Any) -> None:
        answer = client.get("/healthz", headers={"Host": "evil.example"})
        assert answer.status_code == 400
        assert_error(answer, "invalid_value")

    def test_bad_bodies_are_clear_4xx(self, client: Any, keys: TestKeys) -> None:
        if not self.json_route:
            pytest.fail("name a json_route in the subclass")
        json_type = {"Content-Type": "application/json"}
        cases: list[tuple[dict[str, str], bytes, set[int]]] = [
            (json_type, b"{", {400}),
            (json_type, b"[]", {400}),
            (json_type, b"{}", {400}),
            (json_type, b"", {400}),
            (json_type, b'{"a":' * 2000 + b"1" + b"}" * 2000, {400}),
            ({"Content-Type": "text/plain"}, b"hello", {400, 415}),
        ]
        for headers, body, expected in cases:
            answer = client.post(self.json_route, headers={**keys.headers(), **headers}, content=body)
            assert answer.status_code in expected, (body[:40], answer.text[:200])
            assert_error(answer)

    def test_a_body_over_the_limit_is_a_413(self, client: Any, keys: TestKeys) -> None:
        headers = {**keys.headers(), "Content-Type": "application/json"}
        answer = client.post(self.json_route, headers=headers, content=b" " * (60 * 1024 * 1024))
        assert answer.status_code == 413
        assert_error(answer, "payload_too_large")

    def test_models_are_listed_in_openais_shape(self, client: Any, keys: TestKeys) -> None:
        body = client.get("/v1/models", headers=keys.headers()).json()
        assert body["object"] == "list"
        for entry in body["data"]:
            assert entry["object"] == "model"
            assert {"id", "created", "owned_by", "task", "builtin", "loaded", "license"} <= entry.keys()


def assert_error(answer: Any, code: str | None = None) -> None:
    """Check that `answer` is an error in OpenAI's shape, with `code`, and shows nothing of the inside."""
    error = answer.json()["error"]
    assert {"message", "type", "param", "code"} == error.keys()
    assert error["message"]
    if code is not None:
        assert error["code"] == code
    assert not re.search(r"Traceback|\.py\b|/usr/|/home/|site-packages", answer.text)
