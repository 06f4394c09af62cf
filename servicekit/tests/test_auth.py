"""Tokens and keys: who is let in, and what happens while the gateway is away."""

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from servicekit.auth import INTROSPECTION_TTL_S, Authenticator, Identity, bearer_of, check_scope
from servicekit.contract import TestKeys
from servicekit.errors import Forbidden, NotReady, TooBusy, Unauthorized
from servicekit.scopes import needed_on_own_port
from servicekit.settings import ServiceSettings


class Gateway:
    """Answers as the gateway does; counts, revokes and goes away."""

    def __init__(self, keys: TestKeys):
        self._keys, self.valid, self.away, self.asked = keys, {"ofi_good"}, False, 0
        self.full = False
        self.more: dict[str, object] = {}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if self.away:
            raise httpx.ConnectError("away")
        if request.url.path.endswith("jwks.json"):
            return httpx.Response(200, json=self._keys._jwks)
        self.asked += 1
        if self.full:
            return httpx.Response(429, json={}, headers={"Retry-After": "73"})
        token = json.loads(request.content)["token"]
        if token in self.valid:
            claims = {"sub": "ana", "name": "ana", "role": "member", "scopes": ["chat"]}
            return httpx.Response(200, json={"claims": claims | self.more})
        return httpx.Response(401, json={})


@pytest.fixture
def keys() -> TestKeys:
    return TestKeys()


@pytest.fixture
def gateway(keys: TestKeys) -> Gateway:
    return Gateway(keys)


@pytest.fixture
def check(gateway: Gateway) -> Callable[[str | None], Identity]:
    client = httpx.Client(transport=httpx.MockTransport(gateway))
    return Authenticator(ServiceSettings(), client).authenticate


def test_an_identity_token_needs_no_call_but_for_the_keys(check, keys, gateway) -> None:  # type: ignore[no-untyped-def]
    assert check(keys.token("bia")).user_id == "bia"
    gateway.away = True
    assert check(keys.token("bia")).user_id == "bia"
    assert gateway.asked == 0


def test_a_key_is_not_asked_about_for_every_call(check, gateway) -> None:  # type: ignore[no-untyped-def]
    for _ in range(20):
        assert check("ofi_good").role == "member"
    assert gateway.asked < 20


def test_what_is_forwarded_to_a_neighbour_is_what_came(check, keys) -> None:  # type: ignore[no-untyped-def]
    token = keys.token("bia")
    assert check("ofi_good").bearer == {"Authorization": "Bearer ofi_good"}
    assert check(token).bearer == {"Authorization": f"Bearer {token}"}


def test_a_revoked_key_stops_working_within_a_second(check, gateway) -> None:  # type: ignore[no-untyped-def]
    check("ofi_good")
    gateway.valid.clear()
    assert INTROSPECTION_TTL_S < 0.9
    time.sleep(INTROSPECTION_TTL_S + 0.1)
    with pytest.raises(Unauthorized):
        check("ofi_good")


def test_while_the_gateway_is_away_nothing_that_could_be_revoked_is_believed(check, keys, gateway) -> None:  # type: ignore[no-untyped-def]
    gateway.valid.add(token := keys.token("bia", typ="access"))
    check(keys.token())  # the public keys are known now
    gateway.away = True
    for bearer in ("ofi_good", token):
        with pytest.raises(NotReady):
            check(bearer)


def test_wrong_keys_by_the_thousand_do_not_bring_a_revoked_token_back(check, keys, gateway) -> None:  # type: ignore[no-untyped-def]
    """The gateway answers 429 then: that is no reason to believe the token's signature alone."""
    gateway.full = True
    for bearer in ("ofi_wrong", keys.token("bia", typ="access")):
        with pytest.raises(TooBusy) as refused:
            check(bearer)
        assert refused.value.headers()["Retry-After"] == "73"


def test_a_forged_access_token_is_refused_without_asking(check, gateway) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(Unauthorized):
        check(TestKeys().token(typ="access"))
    assert gateway.asked == 0


def test_a_very_long_key_is_refused_without_asking_or_being_kept(check, gateway) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(Unauthorized):
        check("k" * 5000)
    assert gateway.asked == 0


def test_a_revoked_access_token_is_refused(check, keys) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(Unauthorized):
        check(keys.token(typ="access"))


def test_a_delegated_token_is_asked_about(check, keys, gateway) -> None:  # type: ignore[no-untyped-def]
    token = keys.token("ana", typ="delegated", admitted=True)
    with pytest.raises(Unauthorized):
        check(token)
    gateway.valid.add(other := keys.token("bia", typ="delegated", admitted=True))
    assert not check(other).admitted, "the gateway says how far it goes, not the token"
    gateway.more = {"admitted": True}
    gateway.valid.add(third := keys.token("caio", typ="delegated"))
    assert check(third).admitted


def test_a_service_without_network_takes_only_what_another_service_was_given(
    keys: TestKeys, tmp_path: Path
) -> None:
    def away(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no network")

    (file := tmp_path / "jwks.json").write_text(json.dumps(keys._jwks))
    client = httpx.Client(transport=httpx.MockTransport(away))
    alone = Authenticator(ServiceSettings(jwks_file=str(file)), client)
    found = alone.authenticate(keys.token("ana", typ="delegated", admitted=True))
    assert (found.user_id, found.admitted) == ("ana", True)
    for claims in ({}, {"admitted": "yes"}, {"admitted": 1}):
        with pytest.raises(NotReady):
            alone.authenticate(keys.token("ana", typ="delegated", **claims))
    with pytest.raises(Unauthorized):
        alone.authenticate(keys.token("ana", typ="delegated", admitted=True, exp=1))
    with pytest.raises(NotReady):
        alone.authenticate(keys.token("ana", typ="access", admitted=True))


@pytest.mark.parametrize("bearer", [None, "", "ofi_bad", "a.b.c", "..", "x" * 5000])
def test_anything_else_is_refused(check, bearer) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(Unauthorized):
        check(bearer)


def test_scopes_are_required_by_name() -> None:
    identity = Identity("a", "a", "member", frozenset({"chat"}))
    identity.require("chat")
    with pytest.raises(Forbidden):
        identity.require("image")


def test_only_bearer_headers_carry_a_token() -> None:
    assert bearer_of("Bearer abc") == "abc"
    assert bearer_of("bearer abc") == "abc"
    assert bearer_of("Basic abc") is None
    assert bearer_of("Bearer ") is None
    assert bearer_of(None) is None


def test_a_service_without_network_reads_the_keys_from_a_file(
    keys: TestKeys, tmp_path_factory: pytest.TempPathFactory
) -> None:
    def away(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no network")

    file = tmp_path_factory.mktemp("keys") / "jwks.json"
    file.write_text(json.dumps(keys._jwks))
    client = httpx.Client(transport=httpx.MockTransport(away))
    alone = Authenticator(ServiceSettings(jwks_file=str(file)), client)
    assert alone.authenticate(keys.token("ana")).user_id == "ana"
    with pytest.raises(Unauthorized):
        alone.authenticate(TestKeys().token("ana"))
    with pytest.raises(NotReady):
        alone.authenticate("ofi_good")
    missing = Authenticator(ServiceSettings(jwks_file=str(file) + ".none"), client)
    with pytest.raises(NotReady):
        missing.authenticate(keys.token("ana"))


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("POST", "/v1/translations", "translate"), ("GET", "/languages", "translate"), ("POST", "/anything", "translate"),
        ("GET", "/v1/models", ""), ("GET", "/v1/models/a/b", ""), ("POST", "/v1/models/a/load", "models"),
        ("DELETE", "/v1/models/a", "models"), ("GET", "/v1/jobs/j", ""), ("GET", "/media/upl_1", ""),
        ("GET", "/mediaplayer", "translate"), ("GET", "/v1/modelsx", "translate"),
    ],
)  # fmt: skip
def test_every_call_of_an_own_port_has_its_scope(method: str, path: str, scope: str) -> None:
    assert needed_on_own_port("svc-translate", method, path) == scope
    narrow = Identity("a", "a", "member", frozenset({"speech"}))
    if scope:
        with pytest.raises(Forbidden):
            check_scope(narrow, "svc-translate", method, path)
    check_scope(replace(narrow, admitted=True), "svc-translate", method, path)
    check_scope(replace(narrow, scopes=frozenset({scope})), "svc-translate", method, path)
