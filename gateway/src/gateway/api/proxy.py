"""Forwards an exchange to a service: bodies pass in both directions as they come.

Owns what of a request is sent on and how an answer is passed back. Knows no users beyond the token it is given.
"""

from __future__ import annotations

import logging
from typing import Any, Protocol

import aiohttp

from gateway.api.exchange import SMALL_BODY, Exchange, Headers, error_event
from gateway.domain.headers import to_client, to_service
from gateway.engine.sender import IDEMPOTENT, Call, Response, Sender
from gateway.engine.upstreams import Upstreams
from gateway.errors import ServiceDown
from servicekit import deadline
from servicekit.logs import log_event

_WHOLE = 256 * 1024
"""Answers up to this length in bytes are passed on in one piece."""
log = logging.getLogger(__name__)


class Out(Protocol):
    """Where an answer goes: to a client (Exchange), or to many (Recording)."""

    started: bool

    async def start(self, status: int, headers: Headers) -> None:
        """Take status and headers."""
        ...

    async def send_body(self, content: bytes, *, more: bool) -> None:
        """Take a part of the body."""
        ...

    async def respond(self, status: int, headers: Headers, content: bytes) -> None:
        """Take a whole answer."""
        ...

    async def break_off(self, last: bytes) -> None:
        """End in the middle; `last` is an event that says so, where the answer consists of events."""
        ...


class Proxy:
    """The data path."""

    def __init__(self, upstreams: Upstreams, sender: Sender):
        self._upstreams, self._sender = upstreams, sender

    async def forward(self, x: Exchange, service: str, token: str, *, page: bool = False) -> None:
        """Let `service` answer.

        Raises:
            ServiceDown: nothing answers there. DeadlineExceeded: it is silent for too long.
            ServiceFull: it is answering as many calls as it may.
        """
        call = call_of(x, service, token)
        call.body = await _body(x, call.headers)
        call.repeatable = x.method in IDEMPOTENT and (call.body is None or isinstance(call.body, bytes))
        await self.run(call, x, x.own_headers(page=page))

    async def run(self, call: Call, out: Out, own: Headers) -> None:
        """Send `call` and pass its answer to `out` with `own` headers. Raises as `forward`."""
        with self._upstreams.slot(call.service):
            endpoint, answer = await self._sender.ask(call)
            try:
                await _relay(answer, out, own)
            except (aiohttp.ClientError, TimeoutError) as error:
                if call.silence_s is None or not isinstance(error, TimeoutError):
                    endpoint.failed(unreachable=not isinstance(error, TimeoutError))
                await _break_off(call.service, answer, out, error)
            finally:
                endpoint.end()
                # Not released but closed when cut short: the service must see at once that nobody listens.
                if answer.connection is not None:
                    answer.close()


async def _relay(answer: Response, out: Out, own: Headers) -> None:
    headers = to_client(answer.raw_headers, own)
    if (answer.content_length or _WHOLE + 1) <= _WHOLE:
        await out.respond(answer.status, headers, await answer.read())
        return
    await out.start(answer.status, headers)
    async for chunk in answer.content.iter_any():
        await out.send_body(chunk, more=True)
    await out.send_body(b"", more=False)


async def _break_off(service: str, answer: Response, out: Out, error: Exception) -> None:
    log_event(log, "answer broke off", level=logging.WARNING, upstream=service, reason=type(error).__name__)
    down = ServiceDown(service, "stopped in the middle of its answer")
    if not out.started:
        raise down from error
    await out.break_off(error_event(down) if answer.content_type == "text/event-stream" else b"")


def call_of(
    x: Exchange, service: str, token: str, content: bytes | None = None, *, shared: bool = False
) -> Call:
    """Return what is sent to `service` for this exchange, with `content` as its body.

    A `shared` call answers others as well: how long this client waits is then no limit for it.
    """
    headers = to_service(
        x.scope["headers"],
        token=token,
        request_id=x.request_id,
        client=x.client,
        host=x.public[1],
        scheme=x.public[0],
        trace=x.trace,
    )
    call = Call(service, x.method, x.target, headers, content, refused=lambda: x.refused)
    if not shared:
        call.silence_s = x.silence_s
        if x.deadline is not None:
            headers.append((deadline.HEADER, f"{x.deadline.onward_s:.3f}"))
    return call


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
