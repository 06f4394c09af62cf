"""The connections to the services: one aiohttp session, several URLs per service, a count of calls.

Owns which URL answers and how many calls a service may be answering. Knows no routes and no users.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

import aiohttp

from gateway.errors import ServiceDown, ServiceFull

_AVOID_S = 2.0
"""Seconds that a URL which refused a connection is asked last."""


class Upstreams:
    """Where each service is. Create it inside the event loop (`open`)."""

    def __init__(
        self,
        urls: dict[str, tuple[str, ...]],
        *,
        max_in_flight: int = 512,
        connect_timeout_s: float = 2.0,
        read_timeout_s: float = 300.0,
    ):
        self._urls = {name: tuple(u.rstrip("/") for u in many) for name, many in urls.items()}
        self._avoid: dict[str, float] = {}
        self._turn = count()
        self._in_flight = dict.fromkeys(self._urls, 0)
        self._max = max_in_flight
        self._timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=connect_timeout_s, sock_read=read_timeout_s
        )
        self._session: aiohttp.ClientSession | None = None

    def open(self) -> None:
        """Make the session. Call from the event loop."""
        # 15 s: shorter than any service's keep-alive, so that no call is sent into a closing connection.
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=15, ttl_dns_cache=10),
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=self._timeout,
            skip_auto_headers=("Accept", "Accept-Encoding", "User-Agent", "Content-Type"),
            trust_env=False,
        )

    async def close(self) -> None:
        """Close all connections."""
        if self._session:
            await self._session.close()

    @property
    def session(self) -> aiohttp.ClientSession:
        """The one session."""
        assert self._session is not None, "open() first"
        return self._session

    def urls(self, service: str) -> tuple[str, ...]:
        """Return the base URLs of a service, the ones worth trying first in front."""
        many = self._urls.get(service, ())
        if len(many) < 2:
            return many
        now, start = time.monotonic(), next(self._turn) % len(many)
        turned = many[start:] + many[:start]
        return tuple(sorted(turned, key=lambda url: self._avoid.get(url, 0.0) > now))

    def avoid(self, url: str) -> None:
        """Ask this URL last for a while: it refused a connection."""
        self._avoid[url] = time.monotonic() + _AVOID_S

    @contextmanager
    def slot(self, service: str) -> Iterator[None]:
        """Count one call to a service.

        Raises:
            ServiceDown: no URL is configured for it.
            ServiceFull: it is answering as many as it may.
        """
        if not self._urls.get(service):
            raise ServiceDown(service, "is not part of this installation")
        if self._in_flight[service] >= self._max:
            raise ServiceFull(f"svc-{service} is answering {self._max} calls already. Try again soon.")
        self._in_flight[service] += 1
        try:
            yield
        finally:
            self._in_flight[service] -= 1

    def in_flight(self, service: str) -> int:
        """Return how many calls a service is answering for this process."""
        return self._in_flight.get(service, 0)
