"""Rows of conversations: the next turn of a long one, and a client that leaves."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from tests.bench.chat import ours
from tests.bench.chat.bench import OURS, Bench
from tests.bench.chat.client import ask
from tests.bench.chat.peers import LLAMA_SERVER
from tests.bench.chat.prompts import Conversation, Sampling, next_turn, question
from tests.bench.chat.stream import Answer, Recording, check_complete
from tests.bench.processes import HttpServer
from tests.bench.report import Bar, Finding, median

INTERLEAVED = 4
TURN_ANSWER_TOKENS = 16
TURN_QUESTION_TOKENS = 40
NEXT_TURN_BAR = Bar(0.1, "at most")
LEAVE_BAR = Bar(200, "at most", "ms")
LEAVE_ANSWER_TOKENS = 192
POLL_S = 0.005
GIVE_UP_S = 60


async def next_turns(bench: Bench) -> list[Finding]:
    """Four long conversations, turn about: how soon the second answer begins, beside the first."""
    findings = []
    for server in await bench.http_servers(OURS, LLAMA_SERVER):
        firsts, nexts = [], []
        for number in range(bench.options.rounds):
            first_s, next_s = await _turns(bench, server, number)
            firsts += first_s
            nexts += next_s
        row = f"next turn after {bench.options.history_tokens} tokens, {INTERLEAVED} interleaved: first token"
        bar = NEXT_TURN_BAR if server.name == OURS else None
        note = "" if server.name == OURS else f"this is {server.name}"
        findings.append(
            Finding(row, 1000 * median(nexts), "ms", "its first turn", 1000 * median(firsts), bar, note)
        )
    return findings


async def _turns(bench: Bench, server: HttpServer, number: int) -> tuple[list[float], list[float]]:
    """Return the seconds to the first token of every first turn and of every second one."""
    sampling = Sampling(0.0, TURN_ANSWER_TOKENS)
    opened: list[tuple[Conversation, Answer]] = []
    for index in range(INTERLEAVED):
        conversation = question(bench.options.history_tokens, "turns", number, index)
        opened.append((conversation, await ask(bench.client, server, conversation, sampling)))
    nexts = []
    for index, (conversation, answer) in enumerate(opened):
        further = next_turn(conversation, answer.text, TURN_QUESTION_TOKENS, "further", number, index)
        nexts.append((await ask(bench.client, server, further, sampling)).first_s)
    return [answer.first_s for _, answer in opened], nexts


async def leaving(bench: Bench) -> list[Finding]:
    """Four answers at once, one client goes: how soon its place is free, and what the others notice."""
    server = await bench.chat()
    freed, gaps, usual = [], [], []
    for number in range(bench.options.rounds):
        seconds, left_s, stayed = await _leave_once(bench, server, number)
        check_complete(stayed)
        freed.append(seconds)
        gaps += [answer.longest_gap_s(left_s) for answer in stayed]
        usual += [answer.longest_gap_s() for answer in stayed]
    row = f"a client leaves, {INTERLEAVED - 1} stay"
    note = f"the others ran to their end; longest pause after it {1000 * max(gaps):.0f} ms"
    return [Finding(f"{row}: its slot is free", 1000 * median(freed), "ms", bar=LEAVE_BAR, note=note)]


async def _leave_once(bench: Bench, server: HttpServer, number: int) -> tuple[float, float, Sequence[Answer]]:
    """Return the seconds until the slot was free, the second at which the client left, the other answers."""
    sampling = Sampling(0.0, max(bench.options.answer_tokens, LEAVE_ANSWER_TOKENS))
    recordings = [Recording() for _ in range(INTERLEAVED)]
    asked_at = time.perf_counter()
    tasks = [
        asyncio.create_task(
            ask(bench.client, server, question(60, "leave", number, i), sampling, recording=recording)
        )
        for i, recording in enumerate(recordings)
    ]
    leaver, *stay = tasks
    deadline = asked_at + GIVE_UP_S
    while len(recordings[0].events) < 4 or await _busy(bench, server) < INTERLEAVED:
        if time.perf_counter() > deadline or leaver.done():
            raise RuntimeError("the four answers were never in the queue together")
        await asyncio.sleep(POLL_S)
    leaver.cancel()
    left_at = time.perf_counter()
    while await _busy(bench, server) >= INTERLEAVED:
        if time.perf_counter() > deadline:
            raise RuntimeError("the slot of the client that left was never free")
        await asyncio.sleep(POLL_S)
    freed_at = time.perf_counter()
    return freed_at - left_at, left_at - asked_at, await asyncio.gather(*stay)


async def _busy(bench: Bench, server: HttpServer) -> int:
    return sum((await ours.queue(bench.client, server)).values())
