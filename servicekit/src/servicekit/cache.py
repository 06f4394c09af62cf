"""A cache of results that may be lost at any time: Redis, or this process's memory.

Nothing that must last lives here. Every call ends within 200 ms whatever Redis does, and never
raises: redis-py's defaults wait for ever and retry, so time-outs are explicit and retries are off.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, cast

import redis.asyncio as aioredis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from servicekit.logs import log_event

OPERATION_TIMEOUT_S = 0.2
ASK_AGAIN_S = 1.0
"""Seconds between two pings to a Redis that failed."""
_CONNECTIONS = 16
log = logging.getLogger(__name__)


class Cache(Protocol):
    """Bytes by key, for a while."""

    async def get(self, key: str) -> bytes | None:
        """Return the value, or None when there is none or the cache is away."""
        ...

    async def set(self, key: str, value: bytes, ttl_s: float) -> None:
        """Keep the value for at most `ttl_s` seconds; silently nothing when the cache is away."""
        ...

    async def close(self) -> None:
        """Free connections."""
        ...


ENTRY_BYTES = 300
"""What an entry takes besides key and value: objects and places in tables (296 measured, CPython 3.11)."""


class MemoryCache:
    """The least recently used values go when all entries take `max_bytes`. For one event loop."""

    def __init__(self, max_bytes: int = 64 * 1024 * 1024):
        self._max_bytes, self._bytes = max_bytes, 0
        self._kept: OrderedDict[str, tuple[float, bytes]] = OrderedDict()

    async def get(self, key: str) -> bytes | None:
        entry = self._kept.get(key)
        if entry is None:
            return None
        if entry[0] < time.monotonic():
            self._drop(key)
            return None
        self._kept.move_to_end(key)
        return entry[1]

    async def set(self, key: str, value: bytes, ttl_s: float) -> None:
        if len(value) > self._max_bytes // 4:
            return
        self._drop(key)
        self._kept[key] = (time.monotonic() + ttl_s, value)
        self._bytes += _taken(key, value)
        while self._bytes > self._max_bytes:
            self._drop(next(iter(self._kept)))

    async def close(self) -> None:
        self._kept.clear()
        self._bytes = 0

    def _drop(self, key: str) -> None:
        entry = self._kept.pop(key, None)
        if entry:
            self._bytes -= _taken(key, entry[1])


def _taken(key: str, value: bytes) -> int:
    return len(key) + len(value) + ENTRY_BYTES


class RedisCache:
    """Redis with hard time-outs; after a failure memory serves until Redis answers a ping. For one event loop."""

    def __init__(self, url: str, prefix: str = "oficina:"):
        self._prefix = prefix
        self._redis = aioredis.Redis.from_url(
            url,
            socket_timeout=OPERATION_TIMEOUT_S,
            socket_connect_timeout=OPERATION_TIMEOUT_S,
            retry=Retry(NoBackoff(), 0),
        )
        self._room = asyncio.Semaphore(_CONNECTIONS)
        self._fallback = MemoryCache(16 * 1024 * 1024)
        self._away: asyncio.Task[None] | None = None

    async def get(self, key: str) -> bytes | None:
        found, value = await self._try(lambda: self._redis.get(self._prefix + key))
        return cast("bytes | None", value) if found else await self._fallback.get(key)

    async def set(self, key: str, value: bytes, ttl_s: float) -> None:
        life_ms = max(1, int(ttl_s * 1000))
        done, _ = await self._try(lambda: self._redis.set(self._prefix + key, value, px=life_ms))
        if not done:
            await self._fallback.set(key, value, ttl_s)

    async def _try(self, ask: Callable[[], Awaitable[Any]]) -> tuple[bool, Any]:
        """Return whether Redis answered, and what. Waiting for a connection is not Redis's failure."""
        if self.available:
            async with self._room:
                if self.available:  # it may have failed while this call waited
                    try:
                        async with asyncio.timeout(OPERATION_TIMEOUT_S):
                            return True, await ask()
                    except (RedisError, OSError, TimeoutError) as error:
                        self._pause(error)
        return False, None

    async def close(self) -> None:
        if self._away is not None:
            self._away.cancel()
            await asyncio.gather(self._away, return_exceptions=True)
        await self._redis.aclose()

    @property
    def available(self) -> bool:
        """Whether Redis is asked: it answered the last call, or a ping since."""
        return self._away is None or self._away.done()

    def _pause(self, error: BaseException) -> None:
        if self.available:
            log_event(log, "redis away, memory serves", level=logging.WARNING, reason=type(error).__name__)
            self._away = asyncio.create_task(self._until_back())

    async def _until_back(self) -> None:
        """Ask now and then beside the calls, so that none of them pays for finding out."""
        while True:
            await asyncio.sleep(ASK_AGAIN_S)
            try:
                async with asyncio.timeout(OPERATION_TIMEOUT_S):
                    await self._redis.ping()
            except (RedisError, OSError, TimeoutError):
                continue
            log_event(log, "redis back")
            return


def connect(redis_url: str) -> Cache:
    """Return the cache that `redis_url` names; an empty URL means memory. Connects when first used."""
    return RedisCache(redis_url) if redis_url else MemoryCache()
