"""What a run asks the gateway for, so that it may go on after its call, and after a restart."""

from __future__ import annotations

import json

import httpx
import pytest

from svc_chat.engine.gateway_delegation import GatewayDelegation

BEARER = {"Authorization": "Bearer of-the-call"}


async def test_the_callers_permission_is_made_to_last() -> None:
    seen: list[httpx.Request] = []

    def gateway(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"token": "a.b.c", "expires_in": 660})

    delegation = GatewayDelegation("http://gateway", httpx.MockTransport(gateway))
    assert await delegation.for_work(BEARER, 660.0) == {"Authorization": "Bearer a.b.c"}
    await delegation.close()
    (request,) = seen
    assert (request.url.path, request.headers["authorization"]) == ("/auth/delegate", "Bearer of-the-call")
    assert json.loads(request.content) == {"seconds": 660}


@pytest.mark.parametrize(
    "answer",
    [httpx.Response(401, json={}), httpx.Response(200, json={}), httpx.Response(200, text="?"), None],
)
async def test_a_gateway_that_gives_nothing_does_not_stop_the_run(answer: httpx.Response | None) -> None:
    def gateway(request: httpx.Request) -> httpx.Response:
        if answer is None:
            raise httpx.ConnectError("away")
        return answer

    delegation = GatewayDelegation("http://gateway", httpx.MockTransport(gateway))
    assert await delegation.for_work(BEARER, 60) is None


async def test_without_a_caller_nobody_is_asked() -> None:
    delegation = GatewayDelegation("http://127.0.0.1:9")
    assert await delegation.for_work({}, 60) is None
