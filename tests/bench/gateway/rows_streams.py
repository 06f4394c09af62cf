"""Rows of streams: tokens through the gateway beside the service itself, what each costs, and the first one."""

from __future__ import annotations

from functools import partial

from tests.bench.gateway.bench import DIRECT, Bench
from tests.bench.gateway.load import Tokens, streams
from tests.bench.gateway.traffic import PATH
from tests.bench.processes import HttpServer
from tests.bench.report import Bar, Finding, median
from tests.bench.rows import in_turn

EVERY_MS = 10.0
"""Pace of each stream: 100 tokens a second, 64 of them 6,400, twenty times what a small model writes here."""
FIRSTS = 100
THROUGH_BAR, CHUNK_BAR = Bar(0.9), Bar(35, "at most", "µs")
FIRST_BAR = Bar(1, "at most", "ms")


async def paced(bench: Bench) -> list[Finding]:
    """Many streams at a steady pace: do all tokens come as quickly, and what does one cost?"""
    options = bench.options
    read = partial(streams, path=PATH, streams=options.streams, tokens=options.tokens, every_ms=EVERY_MS)
    direct, ours = await _both(bench, read)
    row = f"{options.streams} streams, a token each {EVERY_MS:g} ms"
    through = median(t.per_s for t in ours), median(t.per_s for t in direct)
    cost = median(t.cpu_us for t in ours)
    firsts = [median(median(t.first_ms) for t in side) for side in (ours, direct)]
    return [
        Finding(f"{row}: tokens", through[0], "/s", DIRECT, through[1], THROUGH_BAR),
        Finding(f"{row}: processor time a token", cost, "µs", bar=CHUNK_BAR),
        Finding(f"{row}: first token p50, all asked at once", firsts[0], "ms", DIRECT, firsts[1]),
    ]


async def flat_out(bench: Bench) -> list[Finding]:
    """Many streams as fast as the service can write them."""
    options = bench.options
    read = partial(streams, path=PATH, streams=options.streams, tokens=options.tokens * 3, every_ms=0)
    direct, ours = await _both(bench, read)
    through = median(t.per_s for t in ours), median(t.per_s for t in direct)
    note = f"the gateway's processor time a token: {median(t.cpu_us for t in ours):.1f} µs"
    row = f"{options.streams} streams, as fast as they go: tokens"
    return [Finding(row, through[0], "/s", DIRECT, through[1], note=note)]


async def first_token(bench: Bench) -> list[Finding]:
    """How much later the first token of a single stream comes through the gateway."""
    read = partial(streams, path=PATH, streams=1, tokens=2, every_ms=5, times=FIRSTS)
    direct, ours = await _both(bench, read)
    without, through = (median(ms for t in side for ms in t.first_ms) for side in (direct, ours))
    note = f"{without:.2f} ms without"
    return [
        Finding(
            "added to the first token of a stream, p50", through - without, "ms", bar=FIRST_BAR, note=note
        )
    ]


async def _both(bench: Bench, read: partial) -> tuple[list[Tokens], list[Tokens]]:
    """Read from the service and through the gateway in turn."""
    source, gateway = await bench.streaming()
    sides: dict[str, tuple[HttpServer, list[Tokens]]] = {"direct": (source, []), "ours": (gateway, [])}
    for number in range(bench.options.rounds):
        for side in in_turn(("direct", "ours"), number):
            server, found = sides[side]
            found.append(await read(server))
    return sides["direct"][1], sides["ours"][1]
