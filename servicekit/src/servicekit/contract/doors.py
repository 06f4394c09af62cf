"""No route lets a stranger in: none without credentials, none to what is somebody else's."""

from __future__ import annotations

from typing import Any, ClassVar

from servicekit.asgi import OPEN_PATHS
from servicekit.contract.basics import assert_error
from servicekit.contract.clients import filled, latin, places_of, routes_of
from servicekit.contract.forged import forged_tokens
from servicekit.contract.keys import KID, TestKeys

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
FOREIGN_HOSTS = (
    "evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "169.254.169.254", "127.0.0.2",
    "evil.example:80", "localhost@evil.example", "localhost, evil.example", "[::2]", "10.0.0.1:8001",
)  # fmt: skip
FOREIGN_ORIGINS = (
    "http://evil.example", "https://localhost.evil.example", "null", "file://", "http://127.0.0.1:1",
    "http://localhost:65000", "chrome-extension://abcdef", "http://[::1]:1",
)  # fmt: skip
OPEN_IDS = frozenset({"model_id"})
"""Placeholders that name what is everybody's: the models of this machine."""


class Doors:
    """Who is let in, at every live route."""

    protected_route: ClassVar[str]
    names_per_owner: ClassVar[frozenset[str]] = frozenset()
    """Placeholders that every caller fills as they like: the same name is another thing for each."""

    def objects(self, client: Any, keys: TestKeys) -> dict[str, str]:
        """Make things that belong to ana; return placeholder → value of the paths that name them."""
        return {}

    def test_every_route_but_the_written_ones_asks_for_credentials(self, client: Any) -> None:
        routes = routes_of(client)
        assert len(routes) > len(OPEN_PATHS)
        for method, path in routes:
            answer = client.request(method, filled(path, {}))
            if path in OPEN_PATHS:
                assert answer.status_code in (200, 503), (method, path)
            else:
                assert answer.status_code == 401, (method, path, answer.text[:200])
                assert_error(answer, "invalid_credentials")

    def test_the_ways_around_a_path_ask_for_credentials_too(self, client: Any) -> None:
        route = self.protected_route
        ways = (
            f"{route}/", f"/{route}", f"/healthz/..{route}", f"{route}?x=/healthz", f"{route};/healthz",
            f"/healthz/%2e%2e{route}", route.upper(), f"/metrics{route}", f"{route}%00", f"/./{route[1:]}",
        )  # fmt: skip
        for way in ways:
            for method in METHODS:
                answer = client.request(method, way, follow_redirects=False)
                assert answer.status_code in (401, 404, 405, 400), (method, way)

    def test_no_stranger_reaches_a_thing_that_has_an_owner(self, client: Any, keys: TestKeys) -> None:
        things = self.objects(client, keys)
        routes = [(m, p) for m, p in routes_of(client) if set(places_of(p)) - OPEN_IDS]
        seen = [p for m, p in routes if m == "GET" and set(places_of(p)) <= things.keys()]
        assert seen or not things, "none of the things that were made can be looked at"
        for path in seen:
            answer = client.request("GET", filled(path, things), headers=keys.headers("ana"))
            assert answer.status_code in (200, 204), (path, answer.text[:200])
        others = {
            "another member": keys.headers("bia", role="member"),
            "another owner": keys.headers("bia"),
            "a name in other letters": keys.headers("ANA"),
        }
        nobody = {
            "a revoked key": {"Authorization": "Bearer ofi_revoked"},
            "a suspended account": keys.headers("ana", typ="access"),
        }
        for who, headers in (others | nobody).items():
            for method, path in routes:
                if who in others and set(places_of(path)) & self.names_per_owner:
                    client.request(method, filled(path, things), headers=headers, json={})
                    continue
                answer = client.request(method, filled(path, things), headers=headers, json={})
                assert not answer.is_success, (who, method, path, answer.text[:200])
                assert answer.status_code < 500 or answer.status_code == 501, (who, method, path)
        for path in seen:
            answer = client.request("GET", filled(path, things), headers=keys.headers("ana"))
            assert answer.status_code in (200, 204), ("gone or changed", path)

    def test_no_forged_token_is_accepted(self, client: Any, keys: TestKeys) -> None:
        genuine = keys.token()
        forged = forged_tokens(genuine, keys.private, KID)
        assert len(set(forged.values())) >= 50
        for name, token in forged.items():
            sent = latin({"Authorization": f"Bearer {token}"})
            answer = client.get(self.protected_route, headers=sent)
            assert answer.status_code == 401, (name, answer.status_code)
            assert_error(answer, "invalid_credentials")
        headers = {"Authorization": f"Bearer {genuine}"}
        assert client.get(self.protected_route, headers=headers).status_code == 200

    def test_a_key_opens_only_what_its_scopes_name(self, client: Any, keys: TestKeys) -> None:
        """The gateway checks scopes of what it forwards; on the own port nobody else does."""
        narrow = {"Authorization": f"Bearer {keys.api_key('keys')}"}
        wide = {"Authorization": f"Bearer {keys.api_key('*')}"}
        assert client.get(self.protected_route, headers=wide).status_code == 200
        shared = ("/v1/models", "/v1/catalogue", "/v1/jobs", "/media")
        own = [(m, p) for m, p in routes_of(client) if p not in OPEN_PATHS and not p.startswith(shared)]
        assert own
        for method, path in own:
            answer = client.request(method, filled(path, {}), headers=narrow, json={})
            assert answer.status_code == 403, (method, path, answer.status_code)
            assert_error(answer, "not_allowed")
        answer = client.request("POST", "/v1/models/x1/unload", headers=narrow)
        assert answer.status_code == 403

    def test_foreign_hosts_are_refused_whatever_they_bring(self, client: Any, keys: TestKeys) -> None:
        for host in FOREIGN_HOSTS:
            for method in METHODS:
                for path in ("/healthz", self.protected_route):
                    headers = {**keys.headers(), "Host": host, "Origin": f"http://{host}"}
                    answer = client.request(method, path, headers=headers)
                    assert answer.status_code == 400, (host, method, path)
                    assert not _cors(answer), (host, method, path)

    def test_foreign_origins_are_never_reflected(self, client: Any, keys: TestKeys) -> None:
        preflight = {
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization",
        }
        for origin in FOREIGN_ORIGINS:
            for method in (*METHODS, "OPTIONS"):
                for more in ({}, keys.headers(), preflight):
                    answer = client.request(method, self.protected_route, headers={**more, "Origin": origin})
                    assert not _cors(answer), (origin, method)

    def test_a_preflight_opens_nothing(self, client: Any) -> None:
        headers = {"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}
        for _, path in routes_of(client):
            answer = client.request("OPTIONS", filled(path, {}), headers=headers)
            assert answer.status_code in (200, 204, 400, 404, 405) and not _cors(answer), path
            assert len(answer.content) < 500, path


def _cors(answer: Any) -> list[str]:
    return [name for name in answer.headers if name.lower().startswith("access-control-")]
