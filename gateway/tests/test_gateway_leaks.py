"""The gateway's own routes: generated requests break nothing, and no failure's words get out."""

from __future__ import annotations

import os
import time

import pytest
from fastapi.openapi.utils import get_openapi

from servicekit.contract.generated import generated_calls
from servicekit.contract.hostile import MEANT
from servicekit.contract.leaks import ADDRESS, FAILURE, FILE, PATHS, SECRET, STACKS, logged

from .conftest import serve_gateway
from .test_gateway_auth import all_routes, log_in

RATES = {
    "rate_limit": "1000000/minute",
    "rate_limit_heavy": "1000000/minute",
    "rate_limit_open": "1000000/minute",
}


def assert_tells_nothing(text: str, *secrets: str) -> None:
    for secret in (SECRET, FILE, ADDRESS, *secrets):
        assert secret not in text, text[:500]
    for pattern in (PATHS, STACKS):
        assert pattern.search(text) is None, text[:500]


async def generated(gateway, wanted: int, seed: int) -> int:
    app, sent = gateway.app, 0
    document = get_openapi(title=app.title, version=app.version, routes=app.routes)
    for method, target, headers, body in generated_calls(document, wanted, seed):
        if target.partition("?")[0] in ("/auth/logout", "/auth/link"):
            continue
        kept = {n: v for n, v in headers if n.lower() in ("content-type", "accept")} | gateway.auth
        request = gateway.client.request(
            method, gateway.url + target, headers=kept, data=body, allow_redirects=False
        )
        async with request as answer:
            text = await answer.text(errors="replace")
            sent += 1
            if answer.status >= 500:
                assert any(f'"{code}"' in text for code in (*MEANT, "upstream_failed")), (
                    seed, method, target[:200], body[:300], text[:300],
                )  # fmt: skip
            assert_tells_nothing(text) if answer.status >= 400 else None
    return sent


async def test_generated_requests_are_answered(fake, tmp_path):
    async with serve_gateway(fake, tmp_path, **RATES) as gateway:
        assert await generated(gateway, 150, seed=1) > 75
        async with gateway.get("/auth/me") as answer:
            assert answer.status == 200


@pytest.mark.chaos
@pytest.mark.timeout(3600)
async def test_thousands_of_generated_requests_are_answered(fake, tmp_path):
    wanted = int(os.environ.get("OFICINA_HOSTILE_REQUESTS", "1500"))
    async with serve_gateway(fake, tmp_path, **RATES) as gateway:
        assert await generated(gateway, wanted, seed=int(time.time())) > wanted / 2


async def test_a_failure_of_the_database_tells_callers_and_logs_nothing_of_its_words(gateway, monkeypatch):
    token, cookies = await log_in(gateway)

    def fail(*_, **__):
        raise RuntimeError(FAILURE)

    for owner, name in ((gateway.parts.accounts, "list"), (gateway.parts.accounts, "by_name"),
                        (gateway.parts.credentials, "keys"), (gateway.parts.credentials, "use_link")):  # fmt: skip
        monkeypatch.setattr(owner, name, fail)
    calls = (
        ("GET", "/auth/users", {}), ("GET", "/auth/keys", {}),
        ("POST", "/auth/login", {"username": "owner", "password": "x"}), ("POST", "/auth/link", {"token": "x"}),
    )  # fmt: skip
    with logged() as lines:
        for method, path, body in calls:
            async with gateway.client.request(
                method, gateway.url + path, json=body or None, headers=gateway.auth
            ) as answer:
                assert answer.status == 500, path
                assert_tells_nothing(await answer.text() + str(answer.headers))
    assert any('"ERROR"' in line for line in lines)
    for line in lines:
        assert_tells_nothing(
            line, token["access_token"], cookies["oficina_session"], gateway.auth["Authorization"]
        )


async def test_no_refusal_of_any_own_route_tells_of_the_inside(gateway):
    token, cookies = await log_in(gateway)
    with logged() as lines:
        for route in all_routes(gateway.app.routes):
            for method in (getattr(route, "methods", None) or set()) - {"HEAD"}:
                for headers in ({}, gateway.auth, {"Authorization": "Bearer x.y.z"}):
                    async with gateway.client.request(
                        method, gateway.url + route.path, headers=headers, data=b"{", allow_redirects=False
                    ) as answer:
                        text = await answer.text()
                        if answer.status >= 400:
                            assert_tells_nothing(text, str(gateway.parts.settings.data_dir))
    for line in lines:
        assert_tells_nothing(
            line, token["access_token"], cookies["oficina_session"], gateway.auth["Authorization"]
        )
