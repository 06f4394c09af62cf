"""The tests that every service inherits: what `install` promises, checked over real requests.

A service's `tests/test_contract.py` holds one subclass with a `client` fixture (Starlette's
TestClient, or `FlaskClient` below, of an app made with `AUTH=on` and a `TestKeys` authenticator).
"""

from __future__ import annotations

import json
import re
import time
from typing import Any, ClassVar

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from servicekit.auth import AUDIENCE, ISSUER, Authenticator
from servicekit.settings import ServiceSettings


class TestKeys:
    """Signs identity tokens and stands in for the gateway that publishes the keys."""

    __test__ = False

    def __init__(self) -> None:
        self._key = Ed25519PrivateKey.generate()
        public = json.loads(jwt.algorithms.OKPAlgorithm.to_jwk(self._key.public_key()))
        self._jwks = {"keys": [{**public, "kid": "test", "use": "sig", "alg": "EdDSA"}]}

    def token(self, user: str = "ana", role: str = "owner", **claims: Any) -> str:
        """Return an identity token for `user`, valid for a minute unless `claims` say otherwise."""
        payload = {
            "iss": ISSUER, "aud": AUDIENCE, "sub": user, "name": user, "role": role,
            "scopes": ["*"], "typ": "identity", "exp": int(time.time()) + 60,
        }  # fmt: skip
        return jwt.encode({**payload, **claims}, self._key, algorithm="EdDSA", headers={"kid": "test"})

    def headers(self, user: str = "ana", **claims: Any) -> dict[str, str]:
        """Return the Authorization header of `user`."""
        return {"Authorization": f"Bearer {self.token(user, **claims)}"}

    def authenticator(self, settings: ServiceSettings) -> Authenticator:
        """Return an Authenticator whose gateway is this object."""

        def gateway(request: httpx.Request) -> httpx.Response:
            if request.url.path.endswith("jwks.json"):
                return httpx.Response(200, json=self._jwks)
            return httpx.Response(401, json={})

        return Authenticator(settings, httpx.Client(transport=httpx.MockTransport(gateway)))


class FlaskClient:
    """Gives Flask's test client the few calls of httpx that the contract uses."""

    def __init__(self, app: Any):
        self._client = app.test_client()

    def request(self, method: str, path: str, **options: Any) -> Any:
        """Send one request; the answer has `status_code`, `headers`, `json()` and `text`."""
        if "content" in options:
            options["data"] = options.pop("content")
        answer = self._client.open(path, method=method, **options)
        return httpx.Response(answer.status_code, headers=list(answer.headers.items()), content=answer.data)

    def get(self, path: str, **options: Any) -> Any:
        """Send a GET."""
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Any) -> Any:
        """Send a POST."""
        return self.request("POST", path, **options)


class ServiceContract:
    """Subclass it, give `client` and `keys` fixtures, and name one protected JSON route."""

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

    def test_a_call_without_credentials_is_refused(self, client: Any) -> None:
        answer = client.get(self.protected_route)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert_error(answer, "invalid_credentials")

    def test_forged_and_stale_tokens_are_refused(self, client: Any, keys: TestKeys) -> None:
        stranger = TestKeys()
        unsigned = jwt.encode({"sub": "ana", "typ": "identity"}, "", algorithm="none")
        bad = [
            stranger.token(),
            keys.token(exp=1),
            keys.token(aud="other"),
            keys.token(iss="other"),
            keys.token(typ="refresh"),
            keys.token()[:-6] + "AAAAAA",
            unsigned,
            "a.b.c",
            "x",
        ]
        for token in bad:
            answer = client.get(self.protected_route, headers={"Authorization": f"Bearer {token}"})
            assert answer.status_code in (401, 503), token
            assert "error" in answer.json()

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
