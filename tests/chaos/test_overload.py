"""Ten times what a service can do: it still does nearly all it can, and the rest learn at once."""

from __future__ import annotations

from collections import Counter

import aiohttp
import pytest

from tests.chaos.conftest import CHAT, at_rate, percentile
from tests.gateway_process import AUTH, GatewayProcess

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]
CAPACITY, WORK_S, SECONDS = 4, 0.1, 20
PEAK_PER_S = CAPACITY / WORK_S


async def test_ten_times_the_load_leaves_the_goodput_and_the_rest_is_refused_at_once(
    service, tmp_path, capsys
):
    url, _ = await service(CAPACITY, WORK_S)
    places = str(CAPACITY * 2)
    async with (
        GatewayProcess(url, tmp_path, GATEWAY_MAX_IN_FLIGHT=places) as gateway,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), headers=AUTH) as client,
    ):

        def call(_: int):
            return client.post(gateway.url + CHAT, json={"messages": []})

        alone = await at_rate(PEAK_PER_S * 0.9, SECONDS, call)
        peak = sum(a.status == 200 for a in alone) / SECONDS
        loaded = await at_rate(PEAK_PER_S * 10, SECONDS, call)
        found = Counter(a.status for a in loaded)
        good = found[200] / SECONDS
        refused = [a.took_s for a in loaded if a.status != 200]
        with capsys.disabled():
            print(
                f"\n{peak:.0f}/s at nine tenths of the capacity, {good:.0f}/s of {len(loaded) / SECONDS:.0f}/s at ten times; "
                f"refused in {percentile(refused, 0.5) * 1000:.1f} ms (p50), {percentile(refused, 0.99) * 1000:.1f} ms (p99)"
            )
        assert set(found) <= {200, 429, 503} and good >= 0.8 * peak
        assert all(int(a.retry_after or 0) >= 1 for a in loaded if a.status != 200)
        assert percentile(refused, 0.5) < 0.05  # the rest is how long a busy machine lets a process wait
        async with client.get(gateway.url + "/v1/personas") as answer:
            assert answer.status == 200


async def test_one_service_that_is_full_takes_no_place_of_another(service, tmp_path):
    full, _ = await service(1, 5.0)
    free, _ = await service(100, 0.0)
    async with (
        GatewayProcess(
            full, tmp_path, GATEWAY_MAX_IN_FLIGHT="20", GATEWAY_UPSTREAM_TRANSLATE=free
        ) as gateway,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), headers=AUTH) as client,
    ):
        flood = await at_rate(100, 3, lambda _: _translated(client, gateway.url, full=True))
        quiet = await at_rate(50, 3, lambda n: _translated(client, gateway.url, full=False, n=n))
        assert Counter(a.status for a in flood)[429] > 200
        assert {a.status for a in quiet} == {200}


def _translated(client: aiohttp.ClientSession, url: str, *, full: bool, n: int = 0):
    if full:
        return client.post(url + CHAT, json={}, headers={"x-request-timeout": "2"})
    return client.post(url + "/v1/translations", json={"text": f"star {n}"})
