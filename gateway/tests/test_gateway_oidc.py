"""Logging in through an OpenID Connect provider, and everything that must not log anybody in."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.api.gate import SESSION_COOKIE
from gateway.api.oidc import BROWSER_COOKIE
from gateway.engine.database import OIDC_LOGINS
from servicekit.contract.forged import encoded

from .conftest import PASSWORD, Fake, Running, serve_gateway
from .provider import CLIENT_ID, CLIENT_SECRET, Provider, key_of, serve_provider

SETTINGS = {"oidc_client_id": CLIENT_ID, "oidc_client_secret": CLIENT_SECRET, "oidc_name": "Casa",
            "oidc_allowed_domains": ("example.org",)}  # fmt: skip


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    async with serve_provider() as running:
        yield running


@pytest.fixture
async def gateway(fake: Fake, tmp_path: Path, provider: Provider) -> AsyncIterator[Running]:
    async with serve_gateway(fake, tmp_path, oidc_issuer=provider.url, **SETTINGS) as running:
        yield running


async def visit(gateway: Running, url: str, cookies: dict[str, str]) -> tuple[int, str, SimpleCookie]:
    """Follow one address as a browser does, keeping cookies; return status, where to, and new cookies."""
    sent = {"Cookie": "; ".join(f"{n}={v}" for n, v in cookies.items())} if cookies else {}
    async with gateway.client.get(url, headers=sent, allow_redirects=False) as answer:
        for name, morsel in answer.cookies.items():
            cookies[name] = morsel.value
        return answer.status, answer.headers.get("Location", ""), answer.cookies


async def to_callback(gateway: Running, cookies: dict[str, str]) -> str:
    """Begin a login and let the provider say yes; return the address it sends the browser back to."""
    status, to_provider, _ = await visit(gateway, gateway.url + "/auth/oidc/login", cookies)
    assert status == 303, to_provider
    status, back, _ = await visit(gateway, to_provider, {})
    assert status == 302
    return back


async def log_in(gateway: Running, cookies: dict[str, str] | None = None) -> str:
    """Log in; return where the page is opened (`/#/chat`, or with the reason why not)."""
    cookies = {} if cookies is None else cookies
    status, page, _ = await visit(gateway, await to_callback(gateway, cookies), cookies)
    assert status == 303
    if "login_error" in page:
        assert SESSION_COOKIE not in cookies
    return page


async def me(gateway: Running, cookies: dict[str, str]) -> dict[str, Any]:
    headers = {"Cookie": f"{SESSION_COOKIE}={cookies.get(SESSION_COOKIE, '')}"}
    async with gateway.client.get(gateway.url + "/auth/me", headers=headers) as answer:
        return {"status": answer.status} | await answer.json()


async def test_a_person_of_the_provider_gets_an_account_and_a_session(gateway, provider):
    cookies: dict[str, str] = {}
    assert await log_in(gateway, cookies) == "/#/chat"
    told = await me(gateway, cookies)
    assert (told["username"], told["role"]) == ("ana", "member")
    assert provider.secrets_seen[0].startswith("Basic ")
    again: dict[str, str] = {}
    await log_in(gateway, again)
    assert (await me(gateway, again))["id"] == told["id"]
    assert again[SESSION_COOKIE] != cookies[SESSION_COOKIE]


async def test_the_login_page_is_told_of_the_provider_and_only_where_there_is_one(gateway, fake, tmp_path):
    async with gateway.client.get(gateway.url + "/auth/methods") as answer:
        assert await answer.json() == {"password": True, "oidc": {"name": "Casa"}}
    async with serve_gateway(fake, tmp_path / "plain") as plain:
        async with plain.client.get(plain.url + "/auth/methods") as answer:
            assert await answer.json() == {"password": True, "oidc": None}
        for path in ("/auth/oidc/login", "/auth/oidc/callback?code=x&state=y"):
            async with plain.client.get(plain.url + path, allow_redirects=False) as answer:
                assert answer.status == 404 and not answer.cookies


async def test_the_cookies_of_a_login_are_out_of_reach(gateway):
    _, _, begun = await visit(gateway, gateway.url + "/auth/oidc/login", {})
    morsel = begun[BROWSER_COOKIE]
    assert morsel["httponly"] and morsel["samesite"].lower() == "lax" and morsel["path"] == "/auth/oidc"
    cookies: dict[str, str] = {}
    back = await to_callback(gateway, cookies)
    _, _, done = await visit(gateway, back, cookies)
    assert done[SESSION_COOKIE]["httponly"] and not done[BROWSER_COOKIE].value


async def test_a_name_that_is_taken_is_never_taken_over(gateway, provider):
    provider.person |= {"preferred_username": "owner", "email": "owner@example.org"}
    cookies: dict[str, str] = {}
    assert await log_in(gateway, cookies) == "/#/chat"
    told = await me(gateway, cookies)
    owner = gateway.parts.accounts.by_name("owner")
    assert told["username"] == "owner-2" and told["role"] == "member" and told["id"] != owner.id
    provider.person["sub"] = "s-2"  # somebody else of the same name and address
    await log_in(gateway, cookies)
    assert (await me(gateway, cookies))["username"] == "owner-3"


async def test_an_account_of_the_provider_has_no_password(gateway):
    await log_in(gateway)
    for password in ("x", PASSWORD, "0" * 32):
        given = {"username": "ana", "password": password}
        async with gateway.client.post(gateway.url + "/auth/login", json=given) as answer:
            assert answer.status == 401


async def test_a_suspended_account_stays_outside(gateway, provider):
    cookies: dict[str, str] = {}
    await log_in(gateway, cookies)
    user = (await me(gateway, cookies))["id"]
    patch = {"json": {"active": False}, "headers": gateway.auth}
    async with gateway.client.patch(f"{gateway.url}/auth/users/{user}", **patch) as answer:
        assert answer.status == 200
    assert (await me(gateway, cookies))["status"] == 401
    assert await log_in(gateway) == "/#login_error=oidc_suspended"


# --- attacks on the way back


async def test_a_state_that_was_not_given_out_is_refused(gateway):
    cookies: dict[str, str] = {}
    back = await to_callback(gateway, cookies)
    code = parse_qs(urlsplit(back).query)["code"][0]
    for state in ("", "wrong", "x" * 5000, "%00", "%ff"):
        wrong = f"{gateway.url}/auth/oidc/callback?code={code}&state={state}"
        _, page, _ = await visit(gateway, wrong, dict(cookies))
        assert page == "/#login_error=oidc_expired", state


async def test_a_login_begun_in_another_browser_is_refused(gateway):
    """Login CSRF: the attacker's own answer, opened by somebody else."""
    back = await to_callback(gateway, {})
    for cookies in ({}, {BROWSER_COOKIE: "guessed"}):
        _, page, _ = await visit(gateway, back, cookies)
        assert page == "/#login_error=oidc_expired" and SESSION_COOKIE not in cookies
    mine: dict[str, str] = {}
    await to_callback(gateway, mine)
    _, page, _ = await visit(gateway, back, mine)
    assert page == "/#login_error=oidc_expired"


async def test_an_answer_works_once_even_if_the_provider_would_take_it_twice(gateway, provider):
    provider.forgets_codes = False
    cookies: dict[str, str] = {}
    back = await to_callback(gateway, cookies)
    browser = cookies[BROWSER_COOKIE]
    _, page, _ = await visit(gateway, back, cookies)
    assert page == "/#/chat"
    tokens = provider.asked.count("/token")
    _, page, _ = await visit(gateway, back, {BROWSER_COOKIE: browser})
    assert page == "/#login_error=oidc_expired" and provider.asked.count("/token") == tokens


async def test_a_replayed_code_in_a_new_login_is_refused(gateway, provider):
    cookies: dict[str, str] = {}
    back = await to_callback(gateway, cookies)
    code = parse_qs(urlsplit(back).query)["code"][0]
    await visit(gateway, back, cookies)
    for forgets in (True, False):  # a careless provider: then the verifier does not fit
        provider.forgets_codes = forgets
        mine: dict[str, str] = {}
        state = parse_qs(urlsplit(await to_callback(gateway, mine)).query)["state"][0]
        _, page, _ = await visit(gateway, f"{gateway.url}/auth/oidc/callback?code={code}&state={state}", mine)
        assert page == "/#login_error=oidc_denied" and SESSION_COOKIE not in mine


async def test_a_login_that_took_too_long_is_over(gateway):
    cookies: dict[str, str] = {}
    back = await to_callback(gateway, cookies)
    with gateway.parts.external._engine.begin() as db:
        db.execute(OIDC_LOGINS.update().values(expires_at=time.time() - 1))
    _, page, _ = await visit(gateway, back, cookies)
    assert page == "/#login_error=oidc_expired"


async def test_an_answer_in_another_providers_name_is_refused(gateway, provider):
    cookies: dict[str, str] = {}
    back = (await to_callback(gateway, cookies)).partition("&iss=")[0] + "&iss=https://evil.example"
    _, page, _ = await visit(gateway, back, cookies)
    assert page == "/#login_error=oidc_failed" and "/token" not in provider.asked


async def test_a_person_who_says_no_is_told_so(gateway):
    cookies: dict[str, str] = {}
    state = parse_qs(urlsplit(await to_callback(gateway, cookies)).query)["state"][0]
    refused = f"{gateway.url}/auth/oidc/callback?error=access_denied&state={state}"
    _, page, _ = await visit(gateway, refused, cookies)
    assert page == "/#login_error=oidc_denied"


# --- id_tokens that are not to be believed


NOW, LONG = int(time.time()), 10 * 365 * 24 * 3600
"""Now is when tests are collected: the last of them may run hours later."""
LIES: dict[str, dict[str, Any]] = {
    "another nonce": {"nonce": "other"},
    "no nonce": {"nonce": None},
    "an empty nonce": {"nonce": ""},
    "another audience": {"aud": "other-client"},
    "several audiences and no azp": {"aud": [CLIENT_ID, "other-client"]},
    "another authorized party": {"aud": [CLIENT_ID, "other-client"], "azp": "other-client"},
    "no audience": {"aud": None},
    "another issuer": {"iss": "https://evil.example"},
    "an issuer with a slash more": {"iss": "http://127.0.0.1/"},
    "no issuer": {"iss": None},
    "expired": {"exp": NOW - LONG, "iat": NOW - 2 * LONG},
    "no end": {"exp": None},
    "an end that is no number": {"exp": "tomorrow"},
    "not yet": {"nbf": NOW + LONG},
    "issued in the future": {"iat": NOW + LONG},
    "no subject": {"sub": None},
    "an empty subject": {"sub": ""},
    "a subject that is no text": {"sub": ["s-1"]},
    "a long subject": {"sub": "s" * 300},
    "an access token hash that does not fit": {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"},
}


@pytest.mark.parametrize("name", LIES)
async def test_an_id_token_for_something_else_logs_nobody_in(gateway, provider, name):
    provider.changed = LIES[name]
    assert await log_in(gateway) == "/#login_error=oidc_failed"
    assert gateway.parts.accounts.by_name("ana") is None


def _with_the_public_key_as_secret(provider: Provider, claims: dict[str, Any]) -> str:
    pem = provider.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    head = encoded({"alg": "HS256", "typ": "JWT", "kid": provider.kid}) + "." + encoded(claims)
    mac = hmac.new(pem, head.encode(), hashlib.sha256).digest()
    return f"{head}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def _genuine(provider: Provider, claims: dict[str, Any]) -> list[str]:
    return jwt.encode(claims, provider.key, algorithm="RS256", headers={"kid": provider.kid}).split(".")


FORGERIES: dict[str, Any] = {
    "alg none": lambda p, c: f"{encoded({'alg': 'none', 'kid': p.kid})}.{encoded(c)}.",
    "alg None": lambda p, c: f"{encoded({'alg': 'None'})}.{encoded(c)}.",
    "no signature": lambda p, c: ".".join([*_genuine(p, c)[:2], ""]),
    "a foreign key": lambda p, c: jwt.encode(
        c, key_of("stranger"), algorithm="RS256", headers={"kid": p.kid}
    ),
    "a foreign key and kid": lambda p, c: jwt.encode(
        c, key_of("stranger"), algorithm="RS256", headers={"kid": "k9"}
    ),
    "a foreign key in the header": lambda p, c: _with_jwk(p, c),
    "the public key as secret": _with_the_public_key_as_secret,
    "the client's secret": lambda p, c: jwt.encode(
        c, CLIENT_SECRET.ljust(32), algorithm="HS256", headers={"kid": p.kid}
    ),
    "other claims": lambda p, c: ".".join(
        [_genuine(p, c)[0], encoded(c | {"sub": "s-9"}), _genuine(p, c)[2]]
    ),
    "a kid that is a path": lambda p, c: jwt.encode(
        c, key_of("stranger"), algorithm="RS256", headers={"kid": "../../etc/passwd"}
    ),
    "no token": lambda p, c: "x.y.z",
    "a very long token": lambda p, c: "A" * 300_000 + ".x.y",
}


def _with_jwk(provider: Provider, claims: dict[str, Any]) -> str:
    key = key_of("stranger")
    jwk = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key()))
    return jwt.encode(claims, key, algorithm="RS256", headers={"jwk": jwk, "kid": provider.kid})


@pytest.mark.parametrize("name", FORGERIES)
@pytest.mark.parametrize("admits", [None, ["RS256", "HS256", "none"]])
async def test_a_forged_id_token_logs_nobody_in(gateway, provider, name, admits):
    """Even if the provider's own description would allow the algorithm."""
    provider.sign = lambda claims: FORGERIES[name](provider, claims)
    if admits:
        provider.metadata = {"id_token_signing_alg_values_supported": admits}
    assert await log_in(gateway) == "/#login_error=oidc_failed"
    assert gateway.parts.accounts.by_name("ana") is None


async def test_a_key_that_the_provider_changed_is_fetched_but_not_for_every_stranger(
    gateway, provider, monkeypatch
):
    monkeypatch.setattr("gateway.engine.oidc._KEYS_RETRY_S", 300.0)
    assert await log_in(gateway) == "/#/chat"
    provider.key, provider.kid = key_of("stranger"), "k2"
    assert await log_in(gateway) == "/#login_error=oidc_failed"  # looked a moment ago
    fetched = provider.asked.count("/jwks")
    monkeypatch.setattr("gateway.engine.oidc._KEYS_RETRY_S", 0.0)
    assert await log_in(gateway) == "/#/chat"
    assert provider.asked.count("/jwks") == fetched + 1


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ((400, {"error": "invalid_grant"}), "oidc_denied"), ((200, {}), "oidc_denied"), ((500, {}), "oidc_unreachable"),
        ((200, {"access_token": "at", "token_type": "Bearer"}), "oidc_failed"), ((200, []), "oidc_unreachable"),
        ((200, {"access_token": "at", "token_type": "Bearer", "id_token": 5}), "oidc_failed"),
    ],
)  # fmt: skip
async def test_an_odd_answer_of_the_provider_is_a_reason_and_no_error(gateway, provider, answer, code):
    provider.answer = answer
    page = await log_in(gateway)
    assert page.startswith("/#login_error=oidc_")


@pytest.mark.parametrize(
    "metadata",
    [{"issuer": "https://evil.example"}, {"authorization_endpoint": "javascript:alert(1)"},
     {"authorization_endpoint": None}, {"authorization_endpoint": 5}],
)  # fmt: skip
async def test_a_provider_that_describes_itself_wrongly_is_not_gone_to(gateway, provider, metadata):
    provider.metadata = metadata
    status, page, cookies = await visit(gateway, gateway.url + "/auth/oidc/login", {})
    assert (status, page) == (303, "/#login_error=oidc_unreachable") and BROWSER_COOKIE not in cookies


async def test_a_provider_that_is_away_is_said_and_passwords_still_work(fake, tmp_path):
    async with serve_gateway(fake, tmp_path, oidc_issuer="http://127.0.0.1:1", **SETTINGS) as gateway:
        _, page, _ = await visit(gateway, gateway.url + "/auth/oidc/login", {})
        assert page == "/#login_error=oidc_unreachable"
        given = {"username": "owner", "password": PASSWORD}
        async with gateway.client.post(gateway.url + "/auth/login", json=given) as answer:
            assert answer.status == 200


# --- who may come in, and as what


@pytest.mark.parametrize(
    "person",
    [
        {"email": "ana@evil.example"}, {"email_verified": False}, {"email_verified": None}, {"email_verified": "true"},
        {"email": "ana@example.org.evil.example"}, {"email": "ana@evil.example@example.org"}, {"email": "@example.org"},
        {"email": "example.org"}, {"email": ["ana@example.org"]}, {"email": "ana@sub.example.org"},
    ],
)  # fmt: skip
async def test_only_verified_addresses_of_the_listed_domains_come_in(gateway, provider, person):
    provider.person |= person
    assert await log_in(gateway) == "/#login_error=oidc_not_allowed"
    assert gateway.parts.accounts.by_name("ana") is None


async def test_an_address_that_only_userinfo_tells_counts_if_it_is_the_same_person(gateway, provider):
    provider.person |= {"email": None, "email_verified": None}
    provider.userinfo = {"email": "ana@example.org", "email_verified": True, "sub": "somebody else"}
    assert await log_in(gateway) == "/#login_error=oidc_failed"
    provider.userinfo.pop("sub")
    assert await log_in(gateway) == "/#/chat"


async def test_a_claim_makes_owners_and_takes_it_back_but_never_from_the_last_one(fake, tmp_path, provider):
    roles = {"oidc_role_claim": "groups", "oidc_owner_values": ("admins",)}
    async with serve_gateway(fake, tmp_path, oidc_issuer=provider.url, **SETTINGS, **roles) as gateway:
        cookies: dict[str, str] = {}
        provider.person["groups"] = ["people", "admins"]
        await log_in(gateway, cookies)
        assert (await me(gateway, cookies))["role"] == "owner"
        provider.person["groups"] = ["people"]
        await log_in(gateway)
        assert (await me(gateway, cookies))["role"] == "member"
        provider.person["groups"] = "admins"
        await log_in(gateway)
        first = gateway.parts.accounts.by_name("owner")
        gateway.parts.accounts.change(first.id, active=False)
        provider.person["groups"] = []
        assert await log_in(gateway) == "/#/chat"
        assert (await me(gateway, cookies))["role"] == "owner"
