"""Sends a call to one of a service's URLs, and once more to another where that cannot do harm.

Owns: which outcomes count against a URL, what is retried, and what connection trouble means for the caller. Never
retries when an answer has begun: whoever holds the answer passes it on.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import aiohttp
from yarl import URL

from gateway.engine.endpoints import Endpoint
from gateway.engine.upstreams import Upstreams
from gateway.engine.wire import Answer, Unreachable
from gateway.errors import ServiceDown
from servicekit.errors import DeadlineExceeded, ServiceError, UpstreamFailed

IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS"})
Response = aiohttp.ClientResponse | Answer
_NO_LIMIT_S = 24 * 3600.0
_PAUSE_S = 0.05
"""About how long a URL that closed a connection is left alone before it is asked once more."""


@dataclass(slots=True)
class Call:
    """One call as it will be sent."""

    service: str
    method: str
    target: str
    """Path and query, percent-encoded."""
    headers: Any
    body: Any = None
    """Nothing, bytes, a form or an async iterator."""
    repeatable: bool = False
    """Whether sending it twice does what sending it once does, and its body can be sent again."""
    silence_s: float | None = None
    """Seconds of silence that the client accepts; None: what the settings say."""
    refused: Callable[[], ServiceError | None] = lambda: None
    """Why the gateway itself ended the body, if it did."""


class _Lost(Exception):
    """A call that got no answer."""

    def __init__(self, error: ServiceError, *, sent: bool, final: bool = False):
        super().__init__()
        self.error, self.sent, self.final = error, sent, final


class Sender:
    """Gets answers from services."""

    def __init__(self, upstreams: Upstreams):
        self._upstreams = upstreams

    async def ask(self, call: Call) -> tuple[Endpoint, Response]:
        """Return an answer whose body is still to come, and the URL it comes from: call its `end` afterwards.

        Raises:
            ServiceDown: nothing answers there; CircuitOpen at once when that is known.
            DeadlineExceeded: it is silent for too long. UpstreamFailed: what it says is no HTTP.
        """
        budget = self._upstreams.budgets[call.service]
        budget.earn()
        tried: list[Endpoint] = []
        while True:
            endpoint = self._upstreams.choose(call.service, tried)
            again = endpoint in tried
            tried.append(endpoint)
            if again:
                await asyncio.sleep(_PAUSE_S * random.uniform(0.5, 1.5))
            try:
                answer = await self._once(endpoint, call)
            except _Lost as lost:
                if not self._may_retry(call, lost, tried) or not budget.take():
                    raise lost.error from lost.__cause__
                continue
            if answer.status == 503 and call.repeatable and self._others(call, tried) and budget.take():
                answer.close()
                endpoint.end()
                continue
            return endpoint, answer

    def _may_retry(self, call: Call, lost: _Lost, tried: list[Endpoint]) -> bool:
        if lost.final or len(tried) > max(1, min(2, len(self._upstreams.endpoints[call.service]))):
            return False
        if lost.sent:
            return call.repeatable
        return self._others(call, tried)

    def _others(self, call: Call, tried: list[Endpoint]) -> bool:
        return any(e not in tried and e.admits() for e in self._upstreams.endpoints[call.service])

    async def _once(self, endpoint: Endpoint, call: Call) -> Response:
        endpoint.begin()
        try:
            answer = await self._request(endpoint, call)
        except BaseException as error:
            endpoint.end()
            if not isinstance(error, aiohttp.ClientError | TimeoutError | OSError):
                endpoint.undecided()
                raise
            refused = call.refused()
            if refused is not None:
                endpoint.undecided()
                raise refused from error
            raise _judge(endpoint, call, error) from error
        if _is_broken(answer):
            endpoint.failed(unreachable=False)
        else:
            endpoint.succeeded()
        return answer

    def _request(self, endpoint: Endpoint, call: Call) -> Awaitable[Response]:
        if (call.body is None or isinstance(call.body, bytes)) and endpoint.url.startswith("http://"):
            return self._over_wire(endpoint, call)
        more: dict[str, Any] = {}
        limit_s = self._upstreams.timeout.sock_read
        if call.silence_s is not None and (limit_s is None or call.silence_s < limit_s):
            more["timeout"] = aiohttp.ClientTimeout(
                total=None, sock_connect=self._upstreams.timeout.sock_connect, sock_read=call.silence_s
            )
        return self._upstreams.session.request(
            call.method,
            URL(endpoint.url + call.target, encoded=True),
            data=call.body,
            headers=call.headers,
            allow_redirects=False,
            **more,
        )

    def _over_wire(self, endpoint: Endpoint, call: Call) -> Awaitable[Answer]:
        silence_s = self._upstreams.timeout.sock_read or _NO_LIMIT_S
        if call.silence_s is not None:
            silence_s = min(silence_s, call.silence_s)
        headers = call.headers.items() if isinstance(call.headers, dict) else call.headers
        return self._upstreams.wire.request(
            endpoint.url, call.method, call.target, headers, call.body, silence_s
        )


def _judge(endpoint: Endpoint, call: Call, error: BaseException) -> _Lost:
    """Return what trouble means for the caller, and count it against the URL where it is to blame."""
    service = call.service
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError | Unreachable):
        endpoint.failed(unreachable=True)
        return _Lost(ServiceDown(service), sent=False)
    if isinstance(error, TimeoutError):
        if call.silence_s is None:
            endpoint.failed(unreachable=False)
        else:
            endpoint.undecided()
        return _Lost(DeadlineExceeded(f"svc-{service} was silent for too long."), sent=True, final=True)
    if isinstance(error, aiohttp.ClientConnectionError | OSError):
        endpoint.failed(unreachable=True)
        return _Lost(ServiceDown(service, "closed the connection"), sent=True)
    endpoint.failed(unreachable=False)
    return _Lost(UpstreamFailed(f"svc-{service} answered with something unreadable."), sent=True, final=True)


def _is_broken(answer: Response) -> bool:
    """Tell whether this is what only a broken service answers.

    A service that says 502, 503 or 504 itself is well (its model loads, its neighbour is away); all of ours put
    `x-request-id` on what they say. Without it some proxy in between speaks, or a server that is going down.
    """
    if answer.status < 500:
        return False
    return answer.status == 500 or (answer.status in (502, 503, 504) and "x-request-id" not in answer.headers)
