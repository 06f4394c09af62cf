"""Answers deterministic calls from the cache, and asks only once when many want the same.

The first caller of a missing result gets it streamed; equal calls that come meanwhile wait for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from gateway.api.exchange import Exchange
from gateway.api.proxy import Proxy
from gateway.domain import cacheable
from servicekit.cache import Cache

_KEPT_HEADERS = (b"content-", b"x-")
_DROPPED_HEADERS = frozenset({b"content-length", b"content-security-policy", b"x-request-id", b"x-cache"})


class CachedProxy:
    """The proxy with a memory."""

    def __init__(
        self, proxy: Proxy, cache: Cache, *, ttl_s: float, max_body: int, model_of: Callable[[str], str]
    ):
        self._proxy, self._cache, self._ttl_s, self._max_body = proxy, cache, ttl_s, max_body
        self._model_of = model_of
        self._flights: dict[str, asyncio.Future[bytes | None]] = {}

    async def answer(self, x: Exchange, service: str, user_id: str, token: str) -> None:
        """Answer from the cache, or forward and keep the result."""
        content_type = x.header(b"content-type")
        limit = cacheable.body_limit(content_type, self._max_body)
        length = x.declared_length
        if not self._ttl_s or not length or length > limit:
            await self._proxy.forward(x, service, token)
            return
        body = await x.read()
        if cacheable.streams(x.path, body):
            await self._proxy.forward(x, service, token, content=body)
            return
        key = cacheable.key(
            user_id, x.path, x.scope["query_string"], x.header(b"accept"), content_type,
            self._model_of(service), body,
        )  # fmt: skip
        fresh = cacheable.wants_fresh(x.header(b"cache-control"))
        flight = self._flights.get(key)
        if flight is None:
            await self._lead(x, service, token, body, key, fresh=fresh)
            return
        value = None if fresh else await asyncio.shield(flight)
        if value is None:
            await self._fetch(x, service, token, body, key)
        else:
            await _respond(x, value)

    async def _lead(
        self, x: Exchange, service: str, token: str, body: bytes, key: str, *, fresh: bool
    ) -> None:
        """Look the result up or fetch it, while equal calls wait for what comes of it."""
        flight: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
        self._flights[key] = flight
        value: bytes | None = None
        try:
            value = None if fresh else await self._cache.get(key)
            if value is not None:
                await _respond(x, value)
            else:
                value = await self._fetch(x, service, token, body, key)
        finally:
            del self._flights[key]
            flight.set_result(value)

    async def _fetch(self, x: Exchange, service: str, token: str, body: bytes, key: str) -> bytes | None:
        found: list[bytes] = []

        def sink(status: int, headers: list[tuple[bytes, bytes]], parts: list[bytes]) -> None:
            value = _value(status, headers, parts)
            if value is not None:
                found.append(value)

        x.extra.append((b"x-cache", b"miss"))
        await self._proxy.forward(x, service, token, content=body, sink=sink)
        if not found:
            return None
        await self._cache.set(key, found[0], self._ttl_s)
        return found[0]


def _value(status: int, headers: list[tuple[bytes, bytes]], parts: list[bytes]) -> bytes | None:
    """Return what to keep of an answer, or None when it is none to keep."""
    lower = [(name.lower(), value) for name, value in headers]
    named = dict(lower)
    if status != 200 or sum(map(len, parts)) > cacheable.RESULT_LIMIT:
        return None
    if b"content-encoding" in named or b"no-store" in named.get(b"cache-control", b""):
        return None
    if named.get(b"content-type", b"").startswith(b"text/event-stream"):
        return None
    kept = [(n, v) for n, v in lower if n.startswith(_KEPT_HEADERS) and n not in _DROPPED_HEADERS]
    return cacheable.pack(status, kept, b"".join(parts))


async def _respond(x: Exchange, value: bytes) -> None:
    status, headers, body = cacheable.unpack(value)
    ours = x.own_headers()
    taken = {name for name, _ in ours}
    headers = [pair for pair in headers if pair[0] not in taken]
    length = (b"content-length", str(len(body)).encode())
    await x.respond(status, [*headers, length, (b"x-cache", b"hit"), *ours], body)
