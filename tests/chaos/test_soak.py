"""Half an hour of everyday calls: no process of the stack grows, no file stays open."""

from __future__ import annotations

import asyncio
import contextlib
import io
import itertools
import os
import statistics
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import aiohttp
import psutil
import pytest
from PIL import Image

from tests.conftest import PORTS, Stack

MINUTES = float(os.environ.get("SOAK_MINUTES", "30"))
WARM_PART = 1 / 3
"""Part of the time in which calls come as fast as `WARM_CALLERS` get them: caches, pools and allocators become as large
as they get only after tens of thousands (the gateway: 0.5 MiB in the first 30,000, measured, and 3 bytes a call then)."""
WARM_CALLERS = 4
LOOK_S = 5.0
CALLS_PER_S = 4.0
DIFFERENT = 100
"""How many different questions, texts and pictures there are: results that are kept on purpose are all kept soon."""
GROWTH_MIB_H = 1.0
"""Of every process, also of one that nobody asks anything: 73 bytes a call at `CALLS_PER_S`."""

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(MINUTES * 60 + 900)]


@dataclass
class Seen:
    """What one process used: (hours since the first look, anonymous memory in MiB, open files)."""

    looks: list[tuple[float, float, int]] = field(default_factory=list)

    def growth_mib_h(self) -> float:
        """Return the median slope between looks half the time apart (Theil and Sen's, thinned)."""
        half = len(self.looks) // 2
        pairs = zip(self.looks[:half], self.looks[half:], strict=False)
        return statistics.median((b[1] - a[1]) / (b[0] - a[0]) for a, b in pairs)

    def quarters_mib(self) -> list[float]:
        """Return the median memory of each quarter of the looks: a leak goes on, a warm-up ends."""
        size = max(1, len(self.looks) // 4)
        quarters = (self.looks[i * size : (i + 1) * size] for i in range(4))
        return [statistics.median(look[1] for look in quarter) for quarter in quarters if quarter]

    def files_more(self) -> int:
        """Return by how many the open files of the last tenth differ from those of the first."""
        tenth = max(1, len(self.looks) // 10)
        first = statistics.median(look[2] for look in self.looks[:tenth])
        return round(statistics.median(look[2] for look in self.looks[-tenth:]) - first)


def processes(stack: Stack) -> dict[str, psutil.Process]:
    """Return the process that listens on each service's port."""
    names = {port + stack.port_offset: name for name, port in PORTS.items()}
    found = {}
    for connection in psutil.net_connections("tcp"):
        if connection.status == psutil.CONN_LISTEN and connection.laddr.port in names and connection.pid:
            found[names[connection.laddr.port]] = psutil.Process(connection.pid)
    return found


def anonymous_mib(process: psutil.Process) -> float:
    """Return the memory of a process that is no file's: pages of a library that were read in are the kernel's cache.

    As exact as `smaps_rollup`, which goes through every page: the two differed in 6 of 367 looks (Linux 6.18).
    """
    status = open(f"/proc/{process.pid}/status", encoding="utf-8").read()  # noqa: SIM115
    return sum(int(line.split()[1]) for line in status.splitlines() if line.startswith("RssAnon:")) / 1024


async def watch(seen: dict[str, Seen], found: dict[str, psutil.Process]) -> None:
    """Look at every process until cancelled."""
    began = time.monotonic()
    while True:
        for name, process in found.items():
            hours = (time.monotonic() - began) / 3600
            seen.setdefault(name, Seen()).looks.append((hours, anonymous_mib(process), process.num_fds()))
        await asyncio.sleep(LOOK_S)


Call = Callable[[aiohttp.ClientSession, int], Awaitable[int]]


def chat(body: dict) -> dict:
    """Return a short question to the chat model."""
    return {"messages": [{"role": "user", "content": "Olá!"}], "max_tokens": 8, **body}


def posted(path: str, body: Callable[[int], dict]) -> Call:
    """Return a call that posts JSON and reads the answer."""

    async def call(client: aiohttp.ClientSession, number: int) -> int:
        async with client.post(path, json=body(number)) as answer:
            await answer.read()
            return answer.status

    return call


def got(path: str) -> Call:
    """Return a call that reads an address."""

    async def call(client: aiohttp.ClientSession, _: int) -> int:
        async with client.get(path) as answer:
            await answer.read()
            return answer.status

    return call


async def left_stream(client: aiohttp.ClientSession, number: int) -> int:
    """Begin a stream and leave it."""
    body = chat({"stream": True, "max_tokens": 64, "seed": number, "temperature": 1})
    async with client.post("/v1/chat/completions", json=body) as answer:
        with contextlib.suppress(aiohttp.ClientError):
            await answer.content.readany()
        return answer.status


async def described(client: aiohttp.ClientSession, number: int) -> int:
    """Have a picture described."""
    picture = io.BytesIO()
    Image.new("RGB", (96, 96), (number * 2, 200 - number, 90)).save(picture, "PNG")
    form = aiohttp.FormData()
    form.add_field("file", picture.getvalue(), filename="a.png", content_type="image/png")
    async with client.post("/v1/vision/caption", data=form) as answer:
        await answer.read()
        return answer.status


async def document(client: aiohttp.ClientSession, number: int) -> int:
    """Add a document, and delete it again."""
    form = aiohttp.FormData()
    form.add_field(
        "file", f"The lathe {number} is red.".encode(), filename="a.txt", content_type="text/plain"
    )
    async with client.post("/v1/documents", data=form) as answer:
        document_id = (await answer.json())["document_id"]
    async with client.delete(f"/v1/documents/{document_id}") as answer:
        return answer.status


EVERYDAY: tuple[Call, ...] = (
    posted("/v1/chat/completions", lambda n: chat({"seed": n, "temperature": 1})),
    posted("/v1/chat/completions", lambda n: chat({"stream": True})),
    left_stream,
    posted("/v1/translations", lambda n: {"text": f"a red circle {n}", "target": "pt"}),
    described,
    posted("/text-to-audio", lambda n: {"text": f"Bom dia {n}."}),
    document,
    posted("/v1/search", lambda n: {"query": f"lathe {n}"}),
    got("/api/status"),
    got("/v1/models"),
    posted("/v1/chat/completions", lambda n: {"messages": "no list"}),
    got("/nothing/here"),
)


async def test_half_an_hour_of_everyday_calls_leaves_every_process_as_it_was(stack: Stack, capsys) -> None:
    found, seen, answered = processes(stack), {}, Counter()
    assert set(PORTS) <= set(found)
    headers = {"Authorization": f"Bearer {stack.api_key}"}
    timeout = aiohttp.ClientTimeout(total=60)
    async with aiohttp.ClientSession(stack.url, headers=headers, timeout=timeout) as client:
        running = set[asyncio.Task[None]]()

        async def one(number: int) -> None:
            call, number = EVERYDAY[number % len(EVERYDAY)], number // len(EVERYDAY) % DIFFERENT
            try:
                answered[await call(client, number)] += 1
            except (TimeoutError, aiohttp.ClientError) as error:
                answered[type(error).__name__] += 1

        numbers = itertools.count()
        warm_until = time.monotonic() + MINUTES * 60 * WARM_PART

        async def warm() -> None:
            while time.monotonic() < warm_until:
                await one(next(numbers))

        await asyncio.gather(*(warm() for _ in range(WARM_CALLERS)))
        warmed = sum(answered.values())
        watching = asyncio.create_task(watch(seen, found))
        began, first = time.monotonic(), next(numbers)
        for number in itertools.count(first):
            past_s = time.monotonic() - began
            if past_s > MINUTES * 60 * (1 - WARM_PART):
                break
            task = asyncio.create_task(one(number))
            running.add(task)
            task.add_done_callback(running.discard)
            await asyncio.sleep(max(0.0, (number - first + 1) / CALLS_PER_S - past_s))
        await asyncio.gather(*running)
        watching.cancel()
    lines = {
        name: (each.quarters_mib(), each.growth_mib_h(), each.files_more()) for name, each in seen.items()
    }
    with capsys.disabled():
        print(f"\n{sum(answered.values())} calls ({warmed} to warm up): {dict(answered)}")
        for name, (quarters, growth, files) in sorted(lines.items()):
            shown = " ".join(f"{mib:7.2f}" for mib in quarters)
            print(f"{name:16} {shown} MiB  {growth:+6.2f} MiB/h  {files:+d} files")
    assert all(status in (200, 201, 202, 204, 400, 404, 422) for status in answered), answered
    for name, (_, growth, files) in lines.items():
        assert growth < GROWTH_MIB_H, name
        assert files <= 5, name  # fewer: connections of the warm-up that closed since
