"""One key, one call, whoever is killed meanwhile."""

from __future__ import annotations

import asyncio
from collections import Counter

import aiohttp
import pytest

from tests.chaos.conftest import CHAT
from tests.gateway_process import AUTH, GatewayProcess

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(600)]
ROUNDS, AT_ONCE = 8, 100


async def made(client: aiohttp.ClientSession, url: str) -> int:
    """Return how many calls the service made, asked past the gateway."""
    async with client.get(url + "/v1/personas") as answer:
        return int((await answer.json())["calls"])


async def test_a_hundred_calls_with_one_key_make_one_and_a_killed_gateway_remembers_it(service, tmp_path):
    url, _ = await service(capacity=64, work_s=0.1)
    async with (
        GatewayProcess(url, tmp_path) as gateway,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), headers=AUTH) as client,
    ):

        async def call(key: str):
            async with client.post(gateway.url + CHAT, json={}, headers={"Idempotency-Key": key}) as answer:
                return answer.status, answer.headers.get("idempotent-replayed"), await answer.read()

        for number in range(ROUNDS):
            before = await made(client, url)
            found = await asyncio.gather(*(call(f"key-{number}") for _ in range(AT_ONCE)))
            assert {(status, body) for status, _, body in found} == {(200, found[0][2])}
            assert Counter(replayed for _, replayed, _ in found) == {"true": AT_ONCE - 1, None: 1}
            assert await made(client, url) == before + 1
            gateway.kill()
            await gateway.start()
            assert {(await call(f"key-{n}"))[1] for n in range(number + 1)} == {"true"}
            assert await made(client, url) == before + 1


async def test_a_call_cut_off_by_a_kill_is_made_again_by_the_next_and_only_by_one(service, tmp_path):
    url, _ = await service(capacity=64, work_s=1.0)
    async with (
        GatewayProcess(url, tmp_path) as gateway,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), headers=AUTH) as client,
    ):

        async def call():
            async with client.post(gateway.url + CHAT, json={}, headers={"Idempotency-Key": "cut"}) as answer:
                return answer.status, await answer.read()

        cut = asyncio.create_task(call())
        async with asyncio.timeout(30):
            while await made(client, url) == 0:  # noqa: ASYNC110  # told by another process
                await asyncio.sleep(0.02)
        gateway.kill()
        with pytest.raises(aiohttp.ClientError):
            await cut
        await gateway.start()
        found = await asyncio.gather(*(call() for _ in range(AT_ONCE)))
        assert {status for status, _ in found} == {200}
        assert await made(client, url) == 2
