"""Redis dies and freezes under load: nothing fails, and hardly anybody waits."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter

import aiohttp
import pytest

from tests.chaos.conftest import Answered, at_rate, percentile
from tests.gateway_process import AUTH, GatewayProcess

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]
PER_S, SECONDS, HURT_AT_S = 50, 30, 5
ADDED_S = 0.25
"""What a call may wait until it is known that Redis is away."""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
async def test_thirty_seconds_without_redis_fail_nobody(service, redis_server, tmp_path, capsys, how):
    url, _ = await service(capacity=64, work_s=0.0)
    server, redis_url = redis_server
    async with (
        GatewayProcess(url, tmp_path, REDIS_URL=redis_url) as gateway,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), headers=AUTH) as client,
    ):

        def call(number: int):
            return client.post(gateway.url + "/v1/translations", json={"text": f"star {number}"})

        async def hurt() -> None:
            await asyncio.sleep(HURT_AT_S)
            server.send_signal(how)

        hurting = asyncio.create_task(hurt())
        answered = await at_rate(PER_S, SECONDS, call)
        await hurting
        before, after = _split(answered)
        with capsys.disabled():
            print(
                f"\n{how.name}: p95 {percentile(before, 0.95) * 1000:.0f} ms before, "
                f"{percentile(after, 0.95) * 1000:.0f} ms after, at most {max(after) * 1000:.0f} ms"
            )
        assert Counter(a.status for a in answered) == {200: PER_S * SECONDS}
        assert percentile(after, 0.95) < percentile(before, 0.95) + ADDED_S
        assert percentile(after, 0.5) < percentile(before, 0.5) + 0.05


def _split(answered: list[Answered]) -> tuple[list[float], list[float]]:
    """Return how long calls took before and after; the first second warms up."""
    before = [a.took_s for a in answered if 1 <= a.at_s < HURT_AT_S - 0.5]
    return before, [a.took_s for a in answered if a.at_s >= HURT_AT_S]
