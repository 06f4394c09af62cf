"""Clients that leave at every moment of a call leave nothing behind."""

from __future__ import annotations

import asyncio
import json
import random

import aiohttp
import psutil
import pytest

from tests.chaos.conftest import CHAT
from tests.gateway_process import AUTH, KEY, GatewayProcess

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]
ABORTS, AT_ONCE = 500, 20
PATHS = (CHAT, "/v1/translations", "/v1/files", "/v1/personas")


async def abort(port: int, number: int, chance: random.Random) -> None:
    """Send a part of a call, or all of it, and leave somewhere on the way."""
    body = json.dumps({"text": f"star {number % 7}", "x": "y" * chance.choice((10, 1000, 200_000))}).encode()
    key = f"Idempotency-Key: k{number % 5}-{len(body)}\r\n" if chance.random() < 0.2 else ""
    head = (
        f"POST {PATHS[number % len(PATHS)]} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {KEY}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n{key}\r\n"
    ).encode()
    whole = head + body
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(whole[: chance.choice((10, len(head), len(head) + len(body) // 2, len(whole), len(whole)))])
    await asyncio.sleep(chance.random() * 0.1)
    writer.transport.abort()


async def test_five_hundred_aborts_leave_no_call_no_file_and_no_open_circuit(service, tmp_path):
    url, _ = await service(capacity=64, work_s=0.05)
    chance = random.Random(7)
    async with (
        GatewayProcess(url, tmp_path) as gateway,
        aiohttp.ClientSession(headers=AUTH) as client,
    ):

        async def upstreams() -> dict[str, dict]:
            async with client.get(gateway.url + "/api/status") as answer:
                services = (await answer.json())["services"]
            return {name: services[name]["upstreams"][0] for name in ("chat", "translate")}

        async def answered() -> bool:
            async with client.post(gateway.url + CHAT, json={}) as answer:
                return answer.status == 200

        assert await answered()
        process = psutil.Process(gateway.pid)
        before = process.num_fds()
        for start in range(0, ABORTS, AT_ONCE):
            await asyncio.gather(*(abort(gateway.port, n, chance) for n in range(start, start + AT_ONCE)))
        async with asyncio.timeout(30):
            while any(u["in_flight"] for u in (await upstreams()).values()):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        assert {u["circuit"] for u in (await upstreams()).values()} == {"closed"} and await answered()
        async with asyncio.timeout(60):  # idle connections to the service are kept for 15 s
            while process.num_fds() > before + 5:  # noqa: ASYNC110
                await asyncio.sleep(0.5)
