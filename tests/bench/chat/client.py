"""Asks a server many things at once and times what comes back. Knows OpenAI's chat API, no server's insides."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp

from tests.bench.chat.prompts import Conversation, Sampling
from tests.bench.chat.stream import Answer, Recording, check_complete, median_first_s
from tests.bench.processes import HttpServer, cpu_s

ANSWER_TIMEOUT_S = 300


@dataclass(frozen=True)
class Outcome:
    """What several conversations at once came to."""

    tokens_per_s: float
    first_s: float
    """Median over the conversations of the seconds until the first text."""
    tokens_per_cpu_s: float
    """Tokens for each processor second of the server: what the throughput would be where nothing else runs."""


def session() -> aiohttp.ClientSession:
    """Return a client without a limit of connections."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        timeout=aiohttp.ClientTimeout(total=ANSWER_TIMEOUT_S),
    )


def body(server: HttpServer, conversation: Conversation, sampling: Sampling, seed: int) -> dict[str, Any]:
    """Return a request in the words that every server here understands."""
    return {
        "model": server.model,
        "messages": conversation,
        "stream": True,
        "max_tokens": sampling.max_tokens,
        "temperature": sampling.temperature,
        "top_k": sampling.top_k,
        "top_p": sampling.top_p,
        "min_p": sampling.min_p,
        "seed": seed,
    }


async def ask(
    client: aiohttp.ClientSession,
    server: HttpServer,
    conversation: Conversation,
    sampling: Sampling,
    seed: int = 1,
    recording: Recording | None = None,
) -> Answer:
    """Ask one thing and return the answer; `recording` can be watched while it comes.

    Raises:
        RuntimeError: any status but 200.
    """
    recording = recording or Recording()
    url = f"{server.url}/v1/chat/completions"
    asked = body(server, conversation, sampling, seed)
    started = time.perf_counter()
    async with client.post(url, json=asked, headers=server.headers) as response:
        if response.status != 200:
            raise RuntimeError(f"{server.name} answered {response.status}: {(await response.text())[:300]}")
        async for piece in response.content.iter_any():
            recording.add(time.perf_counter() - started, piece)
    return recording.answer()


async def ask_all(
    client: aiohttp.ClientSession,
    server: HttpServer,
    conversations: Sequence[Conversation],
    sampling: Sampling,
) -> Outcome:
    """Ask all at once; the time runs from the first request to the end of the last answer."""
    started, used_s = time.perf_counter(), cpu_s(server.process.pid)
    answers = await asyncio.gather(
        *(ask(client, server, one, sampling, seed) for seed, one in enumerate(conversations, 1))
    )
    seconds, used_s = time.perf_counter() - started, cpu_s(server.process.pid) - used_s
    check_complete(answers)
    tokens = len(answers) * sampling.max_tokens
    return Outcome(tokens / seconds, median_first_s(answers), tokens / used_s)
