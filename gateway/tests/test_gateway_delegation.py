"""Permission for work that outlives its call: as wide as the call, and gone with the key behind it."""

from __future__ import annotations

import asyncio

import pytest


async def delegated(gateway, token: str, seconds: int = 600) -> dict:
    headers = {"Authorization": f"Bearer {token}"}
    async with gateway.post("/auth/delegate", json={"seconds": seconds}, headers=headers) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.json()


async def introspected(gateway, token: str) -> tuple[int, dict]:
    async with gateway.post("/auth/introspect", json={"token": token}, headers={}) as answer:
        return answer.status, (await answer.json()).get("claims", {})


async def made_key(gateway, *scopes: str) -> tuple[str, str]:
    async with gateway.post("/auth/keys", json={"name": "k", "scopes": list(scopes)}) as answer:
        made = await answer.json()
    return made["id"], made["key"]


def identity_token(gateway, key: str) -> str:
    """Return what a service gets with a call that came with `key`."""
    parts = gateway.parts
    token, _ = parts.signer.sign(parts.credentials.find_key(key), "identity", 300)
    return token


async def test_work_goes_on_as_whom_it_was_asked_for(gateway):
    _, key = await made_key(gateway, "chat")
    given = await delegated(gateway, key)
    status, claims = await introspected(gateway, given["token"])
    assert status == 200 and given["expires_in"] == 600
    assert (claims["name"], claims["scopes"]) == ("owner", ["chat"])


async def test_only_what_a_service_got_lets_it_go_on_without_the_scope_of_each_step(gateway):
    _, key = await made_key(gateway, "chat")
    asked = await delegated(gateway, key)
    again = await delegated(gateway, asked["token"])
    service = await delegated(gateway, identity_token(gateway, key))
    for token, admitted in ((asked, False), (again, False), (service, True)):
        _, claims = await introspected(gateway, token["token"])
        assert claims.get("admitted", False) is admitted


async def test_at_the_gateway_it_opens_no_more_than_the_key_does(gateway):
    _, key = await made_key(gateway, "translate")
    service = await delegated(gateway, identity_token(gateway, key))
    headers = {"Authorization": f"Bearer {service['token']}"}
    for path, status in (("/translate", 200), ("/v1/chat/completions", 403)):
        async with gateway.post(path, json={}, headers=headers) as answer:
            assert answer.status == status, path


async def test_it_ends_with_the_key_behind_it(gateway):
    key_id, key = await made_key(gateway, "chat")
    service = await delegated(gateway, identity_token(gateway, key))
    async with gateway.client.delete(f"{gateway.url}/auth/keys/{key_id}", headers=gateway.auth) as answer:
        assert answer.status == 204
    assert (await introspected(gateway, service["token"]))[0] == 401


async def test_it_ends_with_its_time(gateway):
    _, key = await made_key(gateway, "chat")
    given = await delegated(gateway, key, 1)
    await asyncio.sleep(2.1)
    assert (await introspected(gateway, given["token"]))[0] == 401


async def test_nobody_gets_more_than_the_longest_time(gateway):
    _, key = await made_key(gateway, "chat")
    given = await delegated(gateway, key, 10**9)
    assert given["expires_in"] == 24 * 3600


@pytest.mark.parametrize(
    "body", [{}, {"seconds": 0}, {"seconds": -5}, {"seconds": "long"}, {"seconds": 10**12}]
)
async def test_a_wrong_time_is_400_or_422(gateway, body):
    async with gateway.post("/auth/delegate", json=body) as answer:
        assert answer.status in (400, 422)
        assert (await answer.json())["error"]["param"] == "seconds"


async def test_without_credentials_there_is_nothing_to_delegate(gateway):
    async with gateway.post("/auth/delegate", json={"seconds": 60}, headers={}) as answer:
        assert answer.status == 401
