"""Answers deterministic calls from the cache, and asks only once when many want the same.

All equal calls of a caller read one recording; the upstream call behind it ends early only when none of them waits
any more.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from gateway.api.exchange import Exchange, Headers
from gateway.api.proxy import Proxy, call_of
from gateway.api.recording import Recording
from gateway.domain import cacheable
from gateway.engine.sender import Call
from servicekit.cache import Cache

_KEPT_HEADERS = (b"content-", b"x-")
_DROPPED_HEADERS = frozenset({b"content-length", b"content-security-policy", b"x-request-id", b"x-cache"})


EditionOf = Callable[[str], Awaitable[str]]
"""A service's name to what tells its models; empty while that is not known, and then nothing is kept."""


class CachedProxy:
    """The proxy with a memory."""

    def __init__(self, proxy: Proxy, cache: Cache, *, ttl_s: float, max_body: int, edition_of: EditionOf):
        self._proxy, self._cache, self._ttl_s, self._max_body = proxy, cache, ttl_s, max_body
        self._edition_of = edition_of
        self._flights: dict[str, Recording] = {}
        self.told = {"hit": 0, "shared": 0, "miss": 0}
        """Calls by where their answer came from: the cache, an equal call under way, the service."""

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
            await self._proxy.run(call_of(x, service, token, body), x, x.own_headers())
            return
        edition = await self._edition_of(service)
        key = cacheable.key(
            user_id, x.path, x.scope["query_string"], x.header(b"accept"), content_type, edition, body
        )
        fresh = cacheable.wants_fresh(x.header(b"cache-control"))
        flight = None if fresh else self._flights.get(key)
        leads = flight is None or not flight.joinable
        if flight is None or leads:
            call = call_of(x, service, token, body, shared=True)
            flight = self._flights[key] = Recording(cacheable.RESULT_LIMIT)
            self._take_off(flight, key, call, looks=bool(edition) and not fresh, keeps=bool(edition))

        def told() -> Headers:
            result = "shared" if not leads else "hit" if flight.replayed else "miss"
            self.told[result] += 1
            return [(b"x-cache", b"miss" if result == "miss" else b"hit")]

        await flight.tell(x, told)

    def _take_off(self, flight: Recording, key: str, call: Call, *, looks: bool, keeps: bool) -> None:
        async def fetch() -> None:
            value = await self._cache.get(key) if looks else None
            if value is not None:
                await _play(flight, value)
                return
            await self._proxy.run(call, flight, [])
            value = _value(flight) if keeps else None
            if value is not None:
                await self._cache.set(key, value, self._ttl_s)

        def land() -> None:
            if self._flights.get(key) is flight:
                del self._flights[key]

        flight.run(fetch, land)


async def _play(flight: Recording, value: bytes) -> None:
    status, headers, body = cacheable.unpack(value)
    flight.replayed = True
    await flight.respond(status, [*headers, (b"content-length", str(len(body)).encode())], body)


def _value(flight: Recording) -> bytes | None:
    """Return what to keep of an answer, or None when it is none to keep."""
    named = dict(flight.headers)
    if flight.status != 200 or not flight.complete or not flight.whole:
        return None
    if b"content-encoding" in named or b"no-store" in named.get(b"cache-control", b""):
        return None
    if named.get(b"content-type", b"").startswith(b"text/event-stream"):
        return None
    kept = [(n, v) for n, v in flight.headers if n.startswith(_KEPT_HEADERS) and n not in _DROPPED_HEADERS]
    return cacheable.pack(flight.status, kept, flight.body)
