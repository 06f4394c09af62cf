"""Forwards an exchange to a service: bodies pass in both directions as they come.

Owns the mapping of connection trouble to errors. Knows no users beyond the token it is given.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import aiohttp
from yarl import URL

from gateway.api.exchange import SMALL_BODY, Exchange, error_event
from gateway.domain.headers import to_client, to_service
from gateway.engine.upstreams import Upstreams
from gateway.errors import ServiceDown
from servicekit.errors import DeadlineExceeded, ServiceError, UpstreamFailed
from servicekit.logs import log_event

_WHOLE = 256 * 1024
"""Answers up to this length in bytes are passed on in one piece."""
Sink = Callable[[int, list[tuple[bytes, bytes]], list[bytes]], None]
log = logging.getLogger(__name__)


class Proxy:
    """The data path."""

    def __init__(self, upstreams: Upstreams):
        self._upstreams = upstreams

    async def forward(
        self,
        x: Exchange,
        service: str,
        token: str,
        *,
        content: bytes | None = None,
        sink: Sink | None = None,
        page: bool = False,
    ) -> None:
        """Let `service` answer. `content` replaces a body that was read already; `sink` gets a copy.

        Raises:
            ServiceDown: nothing answers there. DeadlineExceeded: it is silent for too long.
            ServiceFull: it is answering as many calls as it may.
        """
        with self._upstreams.slot(service):
            answer = await self._ask(x, service, token, content)
            try:
                await self._relay(x, service, answer, sink, page)
            finally:
                # Not released but closed when cut short: the service must see at once that nobody listens.
                if answer.connection is not None:
                    answer.close()

    async def _ask(
        self, x: Exchange, service: str, token: str, content: bytes | None
    ) -> aiohttp.ClientResponse:
        headers = to_service(
            x.scope["headers"],
            token=token,
            request_id=x.request_id,
            client=x.client,
            host=x.header(b"host"),
            scheme=x.scope.get("scheme", "http"),
        )
        body = await _body(x, headers) if content is None else content
        for url in self._upstreams.urls(service):
            try:
                return await self._upstreams.session.request(
                    x.method,
                    URL(url + x.target, encoded=True),
                    data=body,
                    headers=headers,
                    allow_redirects=False,
                )
            except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
                self._upstreams.avoid(url)
            except (aiohttp.ClientError, TimeoutError) as error:
                raise x.refused or _known(error, service) from error
        raise ServiceDown(service)

    async def _relay(
        self, x: Exchange, service: str, answer: aiohttp.ClientResponse, sink: Sink | None, page: bool
    ) -> None:
        headers = to_client(answer.raw_headers, x.request_id.encode(), page=page)
        kept: list[bytes] = []
        try:
            if (answer.content_length or _WHOLE + 1) <= _WHOLE:
                whole = await answer.read()
                await x.respond(answer.status, headers, whole)
                kept.append(whole)
            else:
                await x.start(answer.status, headers)
                async for chunk in answer.content.iter_any():
                    await x.send_body(chunk, more=True)
                    if sink:
                        kept.append(chunk)
                await x.send_body(b"", more=False)
        except (aiohttp.ClientError, TimeoutError) as error:
            await self._broken(x, service, answer, error)
            return
        if sink:
            sink(answer.status, list(answer.raw_headers), kept)

    async def _broken(
        self, x: Exchange, service: str, answer: aiohttp.ClientResponse, error: Exception
    ) -> None:
        log_event(
            log, "answer broke off", level=logging.WARNING, upstream=service, reason=type(error).__name__
        )
        down = ServiceDown(service, "stopped in the middle of its answer")
        if not x.started:
            raise down from error
        if answer.content_type == "text/event-stream":
            await x.send_body(error_event(down), more=False)
        # Otherwise the answer stays unfinished: the server closes the connection, and the client sees it.


def _known(error: Exception, service: str) -> ServiceError:
    """Return what trouble with an open connection means for the caller."""
    if isinstance(error, TimeoutError):
        return DeadlineExceeded(f"svc-{service} was silent for too long.")
    if isinstance(error, aiohttp.ClientConnectionError):
        return ServiceDown(service, "closed the connection")
    return UpstreamFailed(f"svc-{service} answered with something unreadable.")


async def _body(x: Exchange, headers: list[tuple[str, str]]) -> Any:
    """Return what aiohttp sends: nothing, a small body whole, or a stream."""
    if not x.has_body:
        x.watch()
        return None
    length = x.declared_length
    if length is not None and length <= SMALL_BODY:
        return await x.read()
    if length is not None:
        headers.append(("content-length", str(length)))
    return x.chunks()
