"""Addresses of media that open without credentials: one path, for a while, as long as the key behind them."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from aiohttp import web

from gateway.api.gate import SESSION_COOKIE
from servicekit.contract import forged_tokens
from servicekit.signed import AUDIENCE

from .conftest import PASSWORD, serve_gateway

PATH, OTHER = "/media/img_" + "a" * 32, "/media/img_" + "b" * 32
NOBODY: dict[str, str] = {}
HARMLESS = frozenset({"no type", "no subject", "a refresh token", "a one-time link"})
"""Forgeries that change what these tokens do not have."""


async def opened(gateway: Any, *paths: str, key: str = "") -> list[str]:
    headers = {"Authorization": f"Bearer {key}"} if key else gateway.auth
    body = {"paths": list(paths or [PATH])}
    async with gateway.post("/auth/media", json=body, headers=headers) as answer:
        assert answer.status == 200, await answer.text()
        told = await answer.json()
    assert told["expires_in"] == gateway.parts.settings.media_token_s
    return list(told["urls"])


async def status_of(gateway: Any, target: str, method: str = "GET", **headers: str) -> int:
    async with gateway.client.request(method, gateway.url + target, headers=headers) as answer:
        return int(answer.status)


def token_of(url: str) -> str:
    return parse_qs(urlsplit(url).query)["token"][0]


async def test_an_address_opens_its_medium_and_its_permission_goes_no_further(gateway):
    (url,) = await opened(gateway)
    async with gateway.get(url, headers={"Range": "bytes=0-3"}) as answer:
        assert answer.status == 200
        assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
        assert (await answer.json())["path"] == PATH
    (seen,) = gateway.fake.calls(PATH)
    assert seen.headers["Range"] == "bytes=0-3"
    claims = gateway.parts.signer.verify(seen.headers["Authorization"].removeprefix("Bearer "))
    assert (claims["typ"], claims["name"]) == ("identity", "owner")


async def test_what_an_address_says_names_nobody(gateway):
    (url,) = await opened(gateway)
    claims = jwt.decode(token_of(url), options={"verify_signature": False})
    assert claims.keys() == {"iss", "aud", "cid", "path", "exp"} and claims["aud"] == AUDIENCE


async def test_with_credentials_media_stay_where_pages_of_other_sites_do_not_show_them(gateway):
    async with gateway.get(PATH) as answer:
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"


async def test_each_path_has_an_address_of_its_own(gateway):
    first, second = await opened(gateway, PATH, OTHER)
    assert await status_of(gateway, first) == await status_of(gateway, second) == 200
    for path, url in ((OTHER, first), (PATH, second)):
        assert await status_of(gateway, f"{path}?token={token_of(url)}") == 401
    assert await status_of(gateway, f"{first}&token={token_of(first)}") == 401


async def test_the_token_of_an_address_opens_nothing_else(gateway):
    (url,) = await opened(gateway)
    assert await status_of(gateway, url) == 200
    token = token_of(url)
    for method in ("DELETE", "POST", "PUT", "PATCH"):
        assert await status_of(gateway, url, method) == 401, method
    for path in ("/v1/jobs", "/auth/me", "/v1/models", f"{PATH}/x", "/media/aud_" + "a" * 32):
        assert await status_of(gateway, f"{path}?token={token}") in (401, 404), path
    for bearer in (token, f"cid {token}", f"path {PATH} {token}", f"cookie {token}"):
        assert await status_of(gateway, "/auth/me", Authorization=f"Bearer {bearer}") == 401, bearer
        async with gateway.post("/auth/introspect", json={"token": bearer}, headers=NOBODY) as answer:
            assert answer.status == 401
    assert await status_of(gateway, "/auth/me", Cookie=f"{SESSION_COOKIE}={token}") == 401


async def test_a_service_asks_about_it_with_the_path_it_is_for(gateway):
    (url,) = await opened(gateway)
    for path, status in ((PATH, 200), (OTHER, 401), ("/v1/jobs", 401)):
        body = {"token": token_of(url), "path": path}
        async with gateway.post("/auth/introspect", json=body, headers=NOBODY) as answer:
            assert answer.status == status, path
            told = await answer.json()
        if status == 200:  # strangers can ask as well
            async with gateway.get("/auth/me") as answer:
                owner = (await answer.json())["id"]
            assert told == {"active": True, "claims": {"sub": owner}}


async def test_forged_addresses_open_nothing(gateway):
    signer = gateway.parts.signer
    (url,) = await opened(gateway)
    genuine = token_of(url)
    claims = jwt.decode(genuine, options={"verify_signature": False})

    def signed(**other: Any) -> str:
        return jwt.encode(claims | other, signer._key, "EdDSA", {"kid": signer.kid})

    forged = forged_tokens(genuine, signer._key, signer.kid)
    wrong = {name: token for name, token in forged.items() if name not in HARMLESS}
    assert len(wrong) >= 55
    wrong |= {
        "expired": signed(exp=int(time.time()) - 1),
        "for everything": signed(path="/media/"),
        "another audience": signed(aud="oficina"),
        "two audiences": signed(aud=[AUDIENCE, "oficina"]),
        "nobody's": signed(cid="key_" + "0" * 32),
    }
    for name, token in wrong.items():
        async with gateway.client.get(gateway.url + PATH, params={"token": token}) as answer:
            assert answer.status == 401, name
    assert await status_of(gateway, url) == 200
    assert len(gateway.fake.calls(PATH)) == 1


async def test_it_ends_with_its_time_and_its_owner_goes_on_reading(fake, tmp_path):
    async with serve_gateway(fake, tmp_path) as gateway:
        (url,) = await opened(gateway)
        claims = jwt.decode(token_of(url), options={"verify_signature": False})
        assert 3500 < claims["exp"] - time.time() <= 3600
        late = gateway.parts.signer.permit(claims["cid"], PATH, -1)
        async with gateway.get(f"{PATH}?token={late}", headers=NOBODY) as answer:
            assert answer.status == 401 and "expired" in (await answer.json())["error"]["message"]
        assert await status_of(gateway, f"{PATH}?token={late}", **gateway.auth) == 200
        assert len(fake.calls(PATH)) == 1  # what opens nothing any more goes no further either


async def test_who_reads_by_address_keeps_nothing_that_outlives_it(gateway):
    async def picture(_: web.Request) -> web.Response:
        return web.Response(body=b"PNG", headers={"Cache-Control": "private, max-age=86400"})

    gateway.fake.routes[PATH] = picture
    (url,) = await opened(gateway)
    for target, headers, kept in (
        (url, NOBODY, "private, no-store"),
        (PATH, gateway.auth, "private, max-age=86400"),
    ):
        async with gateway.get(target, headers=headers) as answer:
            assert answer.headers.getall("Cache-Control") == [kept]


async def test_what_was_delegated_signs_after_the_call_and_ends_with_the_key(gateway):
    async with gateway.post("/auth/keys", json={"name": "k", "scopes": ["images"]}) as answer:
        made = await answer.json()
    parts = gateway.parts
    called, _ = parts.signer.sign(parts.credentials.find_key(made["key"]), "identity", 300)
    bearer = {"Authorization": f"Bearer {called}"}
    async with gateway.post("/auth/delegate", json={"seconds": 960}, headers=bearer) as answer:
        delegated = await answer.json()
    assert delegated["expires_in"] == 960
    (url,) = await opened(gateway, key=delegated["token"])
    assert await status_of(gateway, url) == 200
    assert await status_of(gateway, f"/auth/keys/{made['id']}", "DELETE", **gateway.auth) == 204
    assert await status_of(gateway, url) == 401


async def test_it_ends_with_the_key_behind_it(gateway):
    async with gateway.post("/auth/keys", json={"name": "k", "scopes": ["images"]}) as answer:
        made = await answer.json()
    (url,) = await opened(gateway, key=made["key"])
    assert await status_of(gateway, url) == 200
    assert await status_of(gateway, f"/auth/keys/{made['id']}", "DELETE", **gateway.auth) == 204
    assert await status_of(gateway, url) == 401


async def test_it_ends_with_the_account_that_made_it(gateway):
    person = {"username": "bia", "password": PASSWORD, "role": "member"}
    async with gateway.post("/auth/users", json=person) as answer:
        user = await answer.json()
    login = {"username": "bia", "password": PASSWORD}
    async with gateway.post("/auth/login", json=login, headers=NOBODY) as answer:
        access = (await answer.json())["access_token"]
    (url,) = await opened(gateway, key=access)
    assert await status_of(gateway, url) == 200
    async with gateway.client.patch(
        f"{gateway.url}/auth/users/{user['id']}", headers=gateway.auth, json={"active": False}
    ) as answer:
        assert answer.status == 200
    assert await status_of(gateway, url) == 401


async def test_strangers_do_not_use_up_what_the_owner_may_call(fake, tmp_path, still):
    async with serve_gateway(fake, tmp_path, rate_limit="3/minute", rate_limit_open="5/minute") as gateway:
        (url,) = await opened(gateway)
        statuses = [await status_of(gateway, url) for _ in range(6)]
        assert statuses == [200] * 5 + [429]
        assert await status_of(gateway, url, **gateway.auth) == 200  # nor what he reads with his credentials
        assert await status_of(gateway, url, Authorization="Bearer ofi_wrong") == 401
        assert await status_of(gateway, "/auth/me", **gateway.auth) == 200
        login = {"username": "owner", "password": PASSWORD}
        async with gateway.post("/auth/login", json=login, headers=NOBODY) as answer:
            assert answer.status == 200


async def test_what_was_drawn_is_signed_when_its_owner_has_no_calls_left(fake, tmp_path, still):
    async with serve_gateway(fake, tmp_path, rate_limit="2/minute") as gateway:
        statuses = [await status_of(gateway, "/auth/me", **gateway.auth) for _ in range(3)]
        assert statuses == [200, 200, 429]
        async with gateway.post("/auth/delegate", json={"seconds": 60}) as answer:
            assert answer.status == 200
        for _ in range(2):
            await opened(gateway)
        async with gateway.post("/auth/media", json={"paths": [PATH]}) as answer:
            assert answer.status == 429  # not without end


@pytest.mark.parametrize(
    "paths",
    [
        [], [PATH] * 17, ["/v1/jobs"], ["/media/"], ["/media/img_1"], [PATH + "/../x"], [PATH + "?x"],
        ["https://evil.example" + PATH], [PATH + "\n"], "x", None,
    ],
)  # fmt: skip
async def test_only_media_have_such_addresses(gateway, paths):
    async with gateway.post("/auth/media", json={"paths": paths}) as answer:
        assert answer.status in (400, 422)
        assert (await answer.json())["error"]["param"].startswith("paths")


async def test_without_credentials_nobody_makes_one(gateway):
    async with gateway.post("/auth/media", json={"paths": [PATH]}, headers=NOBODY) as answer:
        assert answer.status == 401


async def test_where_nobody_asks_for_credentials_an_address_needs_nothing(fake, tmp_path):
    async with serve_gateway(fake, tmp_path, auth="off") as gateway:
        assert await opened(gateway) == [PATH]
        assert await status_of(gateway, f"{PATH}?token=x") == 200


async def test_services_are_told_the_public_address_where_one_is_set(fake, tmp_path):
    async with serve_gateway(fake, tmp_path, public_url="https://oficina.example:8443/") as gateway:
        assert await status_of(gateway, "/v1/personas", **gateway.auth) == 200
    (seen,) = fake.calls("/v1/personas")
    told = (seen.headers["X-Forwarded-Proto"], seen.headers["X-Forwarded-Host"])
    assert told == ("https", "oficina.example:8443")
