"""Rows of whole calls: many connections beside the other gateways, one connection beside none, and cache hits."""

from __future__ import annotations

from collections.abc import Sequence

import aiohttp

from tests.bench.gateway import nginx, peers
from tests.bench.gateway.bench import DIRECT, OURS, Bench
from tests.bench.gateway.load import Calls
from tests.bench.gateway.traffic import CACHED_PATH, PATH, translation
from tests.bench.processes import HttpServer
from tests.bench.report import Bar, Finding, median
from tests.bench.rows import in_turn

BARS = {peers.LITELLM: Bar(40), nginx.NAME: Bar(0.2), peers.FASTAPI: Bar(8)}
ADDED_BAR = Bar(0.5, "at most", "ms")
HIT_BAR = Bar(3, "at most", "ms")


async def many_connections(bench: Bench) -> list[Finding]:
    """Calls a second on many connections at once, each contender in its turn."""
    options = bench.options
    servers = await bench.contenders()
    found = await _rounds(bench, servers, PATH, options.connections, options.seconds)
    row = f"calls, {options.connections} connections"
    if OURS not in found:
        return [Finding(row, _per_s(calls), "/s", note=f"this is {name}") for name, calls in found.items()]
    ours = found.pop(OURS)
    return [
        Finding(row, _per_s(ours), "/s", name, _per_s(calls), BARS.get(name), _beside(ours, calls))
        for name, calls in found.items()
    ] or [Finding(row, _per_s(ours), "/s", note=_alone(ours))]


async def one_connection(bench: Bench) -> list[Finding]:
    """What ours, and each other, adds to the time of a call when there is no other."""
    servers = [await bench.service(), *await bench.contenders()]
    found = await _rounds(bench, servers, PATH, 1, bench.options.seconds / 2)
    direct = found.pop(DIRECT)
    whole = median(calls.p50_ms for calls in direct)
    return [
        Finding(
            f"added to a call by {name}, 1 connection, p50",
            median(calls.p50_ms for calls in each) - whole,
            "ms",
            bar=ADDED_BAR if name == OURS else None,
            note=f"{whole:.2f} ms without; p99 {median(calls.p99_ms for calls in each):.2f} ms",
        )
        for name, each in found.items()
    ]


async def cache_hits(bench: Bench) -> list[Finding]:
    """The time of an answer that the gateway has kept, one after another and many at once."""
    server = await bench.gateway()
    await _is_kept(server)
    findings = []
    for connections in (1, bench.options.connections):
        calls = [
            await bench.translation.load(
                server, CACHED_PATH, connections=connections, seconds=bench.options.seconds / 2
            )
            for _ in range(bench.options.rounds)
        ]
        findings.append(
            Finding(
                f"cache hit, {connections} connection{'s' if connections > 1 else ''}, p50",
                median(one.p50_ms for one in calls),
                "ms",
                bar=HIT_BAR if connections == 1 else None,
                note=f"p99 {median(one.p99_ms for one in calls):.2f} ms; {_alone(calls)}",
            )
        )
    await _is_kept(server)
    return findings


async def _is_kept(server: HttpServer) -> None:
    """Ask until the answer comes from the cache.

    Raises:
        RuntimeError: it never does.
    """
    headers = {**server.headers, "Content-Type": "application/json"}
    async with aiohttp.ClientSession(headers=headers) as client:
        for _ in range(20):
            async with client.post(f"{server.url}{CACHED_PATH}", data=translation()) as answer:
                await answer.read()
                if answer.headers.get("x-cache") == "hit":
                    return
    raise RuntimeError("the gateway keeps no answer")


async def _rounds(
    bench: Bench, servers: Sequence[HttpServer], path: str, connections: int, seconds: float
) -> dict[str, list[Calls]]:
    """Load all in turn, after a short warming up."""
    found: dict[str, list[Calls]] = {server.name: [] for server in servers}
    for server in servers:
        await bench.chat.warm_up(server, path)
    for number in range(bench.options.rounds):
        for server in in_turn(servers, number):
            calls = await bench.chat.load(server, path, connections=connections, seconds=seconds)
            found[server.name].append(calls)
    return found


def _per_s(calls: Sequence[Calls]) -> float:
    return median(one.per_s for one in calls)


def _beside(ours: Sequence[Calls], theirs: Sequence[Calls]) -> str:
    """Say what a processor second gives: it hardly changes when other work takes processors away."""
    mine, other = median(c.per_cpu_s for c in ours), median(c.per_cpu_s for c in theirs)
    waits = median(c.p50_ms for c in ours), median(c.p50_ms for c in theirs)
    return (
        f"a processor second: {mine:,.0f} and {other:,.0f} calls, {mine / other:.2f} ×; "
        f"p50 {waits[0]:.1f} and {waits[1]:.1f} ms"
    )


def _alone(calls: Sequence[Calls]) -> str:
    return f"{_per_s(calls):,.0f}/s, a processor second: {median(c.per_cpu_s for c in calls):,.0f} calls"
