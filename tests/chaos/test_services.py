"""A service dies or freezes under load: only its own calls are refused, at once, and it is told truly."""

from __future__ import annotations

import asyncio
import signal
import time
from collections import Counter

import aiohttp
import pytest

from tests.chaos.conftest import CHAT, at_rate, percentile
from tests.gateway_process import AUTH, GatewayProcess
from tests.ports import free_port

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]
TOLD_WITHIN_S = 2.0


async def status_of(client: aiohttp.ClientSession, gateway: GatewayProcess, name: str) -> dict:
    async with client.get(gateway.url + "/api/status") as answer:
        found: dict = (await answer.json())["services"][name]
        return found


async def until_told(client: aiohttp.ClientSession, gateway: GatewayProcess, told, within_s: float) -> float:
    """Wait until what `/api/status` says of svc-chat is as `told` wants it; return the seconds it took."""
    start = time.monotonic()
    while not told(await status_of(client, gateway, "chat")):
        assert time.monotonic() - start < within_s
        await asyncio.sleep(0.05)
    return time.monotonic() - start


async def test_a_killed_service_is_refused_at_once_and_comes_back(service, tmp_path, capsys):
    port, (other, _) = free_port(), await service(capacity=64, work_s=0.0)
    url, process = await service(capacity=64, work_s=0.01, port=port)
    async with (
        GatewayProcess(url, tmp_path, GATEWAY_UPSTREAM_TRANSLATE=other) as gateway,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), headers=AUTH) as client,
    ):

        def call(number: int):
            if number % 2:
                return client.post(gateway.url + "/v1/translations", json={"text": f"star {number}"})
            return client.post(gateway.url + CHAT, json={})

        await until_told(client, gateway, lambda s: s["status"] == "ready", 10)
        load = asyncio.create_task(at_rate(60, 8, call))
        await asyncio.sleep(2)
        process.kill()
        told_s = await until_told(client, gateway, lambda s: s["status"] == "down", TOLD_WITHIN_S + 3)
        answered = await load
        chat = [a for a in answered if round(a.at_s * 60) % 2 == 0]
        refused = [a for a in chat if a.status == 503]
        with capsys.disabled():
            print(
                f"\ntold after {told_s:.2f} s; refused in {percentile([a.took_s for a in refused], 0.5) * 1000:.1f} ms (p50)"
            )
        assert {a.status for a in chat} == {200, 503}
        assert {a.status for a in answered if round(a.at_s * 60) % 2} == {200}
        assert all(int(a.retry_after or 0) >= 1 for a in refused)
        assert percentile([a.took_s for a in refused], 0.5) < 0.05
        assert (await status_of(client, gateway, "chat"))["upstreams"][0]["circuit"] == "open"
        await service(capacity=64, work_s=0.01, port=port)
        await until_told(client, gateway, lambda s: s["upstreams"][0]["circuit"] == "closed", 20)
        async with client.post(gateway.url + CHAT, json={}) as answer:
            assert answer.status == 200


async def test_a_frozen_service_is_refused_once_it_is_known_and_its_twin_answers_meanwhile(service, tmp_path):
    one, frozen = await service(capacity=64, work_s=0.0)
    other, _ = await service(capacity=64, work_s=0.0)
    async with (
        GatewayProcess(one, tmp_path, GATEWAY_UPSTREAM_CHAT=f"{one},{other}") as twins,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), headers=AUTH) as client,
    ):
        await until_told(client, twins, lambda s: s["status"] == "ready", 10)
        frozen.send_signal(signal.SIGSTOP)
        try:
            await until_told(client, twins, lambda s: s["upstreams"][0]["circuit"] != "closed", 30)
            answered = await at_rate(30, 5, lambda _: client.post(twins.url + CHAT, json={}))
            assert Counter(a.status for a in answered)[200] >= len(answered) - 5
            assert (await status_of(client, twins, "chat"))["status"] == "ready"
        finally:
            frozen.send_signal(signal.SIGCONT)
        await until_told(client, twins, lambda s: s["upstreams"][0]["circuit"] == "closed", 30)
