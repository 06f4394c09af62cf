"""The connections to the services: one aiohttp session, several URLs per service, a count of calls.

Owns which URL is asked and how many calls a service may be answering. Knows no routes and no users.
"""

from __future__ import annotations

from collections.abc import Collection
from itertools import count

import aiohttp

from gateway.domain.budget import RetryBudget
from gateway.engine.endpoints import Endpoint
from gateway.engine.wire import Wire
from gateway.errors import CircuitOpen, ServiceDown, ServiceFull


class Slots:
    """The calls that one service may be answering; `with` counts one, and raises ServiceFull when there are too many."""

    def __init__(self, service: str, most: int):
        self._service, self._most, self.taken = service, most, 0

    def __enter__(self) -> None:
        if self.taken >= self._most:
            raise ServiceFull(f"svc-{self._service} is answering {self._most} calls already. Try again soon.")
        self.taken += 1

    def __exit__(self, *_: object) -> None:
        self.taken -= 1


class Upstreams:
    """Where each service is. Create it inside the event loop (`open`)."""

    def __init__(
        self,
        urls: dict[str, tuple[str, ...]],
        *,
        max_in_flight: int = 512,
        connect_timeout_s: float = 2.0,
        read_timeout_s: float = 300.0,
        failures: int = 5,
        open_s: float = 2.0,
        retry_share: float = 0.1,
    ):
        self.endpoints = {
            name: tuple(
                Endpoint(url.rstrip("/"), f"svc-{name}#{n}", failures=failures, open_s=open_s)
                for n, url in enumerate(many, 1)
            )
            for name, many in urls.items()
        }
        self.budgets = {name: RetryBudget(retry_share) for name in urls}
        self._turn = count()
        self._slots = {name: Slots(name, max_in_flight) for name, many in urls.items() if many}
        self.timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=connect_timeout_s, sock_read=read_timeout_s
        )
        self._session: aiohttp.ClientSession | None = None
        self._over_unix: dict[str, aiohttp.ClientSession] = {}
        self.wire = Wire(connect_timeout_s)

    def open(self) -> None:
        """Make the session. Call from the event loop."""
        # 15 s: shorter than any service's keep-alive, so that no call is sent into a closing connection.
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=15, ttl_dns_cache=10),
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=self.timeout,
            skip_auto_headers=("Accept", "Accept-Encoding", "User-Agent", "Content-Type"),
            trust_env=False,
        )
        # aiohttp sends idempotent calls twice by itself; what is sent again is the sender's to decide, and counted.
        self._session._retry_connection = False

    async def close(self) -> None:
        """Close all connections."""
        self.wire.close()
        for session in (self._session, *self._over_unix.values()):
            if session:
                await session.close()

    def reach(self, endpoint: Endpoint) -> tuple[aiohttp.ClientSession, str]:
        """Return the session and the base URL for an endpoint, which may be `unix:` and a socket's path."""
        kind, _, path = endpoint.url.partition(":")
        if kind != "unix":
            return self.session, endpoint.url
        if path not in self._over_unix:
            self._over_unix[path] = aiohttp.ClientSession(
                connector=aiohttp.UnixConnector(path), timeout=self.timeout, trust_env=False
            )
        return self._over_unix[path], "http://localhost"

    @property
    def session(self) -> aiohttp.ClientSession:
        """The one session."""
        assert self._session is not None, "open() first"
        return self._session

    def choose(self, service: str, tried: Collection[Endpoint] = ()) -> Endpoint:
        """Return the URL to ask: one not tried yet, then without trouble, then with the fewest calls.

        Raises:
            CircuitOpen: each of them failed too often just now.
        """
        many = self.endpoints.get(service, ())
        if len(many) == 1 and many[0].admits():
            return many[0]
        worth = [endpoint for endpoint in many if endpoint.admits()]
        if not worth:
            raise CircuitOpen(service, min((e.retry_after_s for e in many), default=1.0))
        start = next(self._turn) % len(worth)  # equals take turns
        return min(worth[start:] + worth[:start], key=lambda e: (e in tried, e.troubled, e.in_flight))

    def slot(self, service: str) -> Slots:
        """Return what counts one call to a service while it is entered (ServiceFull).

        Raises:
            ServiceDown: no URL is configured for it.
        """
        slots = self._slots.get(service)
        if slots is None:
            raise ServiceDown(service, "is not part of this installation")
        return slots

    def in_flight(self, service: str) -> int:
        """Return how many calls a service is answering for this process."""
        slots = self._slots.get(service)
        return slots.taken if slots else 0
