"""The gateway's own small calls to services: JSON in, JSON out, with a deadline."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, NamedTuple, TypeVar

import aiohttp
import orjson
from yarl import URL

from gateway.engine.sender import IDEMPOTENT, Call, Response, Sender
from gateway.engine.upstreams import Upstreams
from gateway.errors import ServiceDown
from servicekit.errors import DeadlineExceeded, ServiceError, UpstreamFailed, from_status
from servicekit.tracing import passed_on

T = TypeVar("T")
MOST_BYTES = 64 * 1024 * 1024
"""Longest answer that is read whole."""
_RESTART_S = 2.0
"""When to come again, where a proxy says in a service's place that it is away and not for how long."""


class RelayedError(ServiceError):
    """An error of a service, passed on with its own status, code and text."""

    def __init__(
        self, status: int, body: dict[str, Any], service: str, retry_after: str = "", own: bool = True
    ):
        error = body.get("error") if isinstance(body.get("error"), dict) else {}
        assert isinstance(error, dict)
        plain = from_status(status, f"svc-{service} answered {status}.")
        after_s = float(retry_after) if retry_after.isascii() and retry_after.isdigit() else None
        if after_s is None and status != 503:
            after_s = plain.retry_after_s
        elif after_s is None and not own:  # a service's own 503 without it says that waiting does not help
            after_s = _RESTART_S
        super().__init__(
            str(error.get("message") or plain.message), param=error.get("param"), retry_after_s=after_s
        )
        self.status = status  # type: ignore[misc]
        self.code = str(error.get("code") or plain.code)  # type: ignore[misc]
        self.type = str(error.get("type") or plain.type)  # type: ignore[misc]


class Got(NamedTuple):
    """A whole answer; `retry_after` is that header, or empty.

    `own`: the service itself speaks, and not a proxy in between while it restarts; see `sender`.
    """

    status: int
    content_type: str
    content: bytes
    retry_after: str
    own: bool

    def error(self, service: str) -> RelayedError:
        """Return the error that the answer is."""
        try:
            body = orjson.loads(self.content)
        except orjson.JSONDecodeError:
            body = None
        told = body if isinstance(body, dict) else {}
        return RelayedError(self.status, told, service, self.retry_after, self.own)


class Calls:
    """Asks services on behalf of a caller."""

    def __init__(self, upstreams: Upstreams, sender: Sender):
        self._upstreams, self._sender = upstreams, sender

    async def raw(
        self,
        service: str,
        method: str,
        path: str,
        *,
        token: str = "",
        timeout_s: float,
        json: Any = None,
        form: aiohttp.FormData | None = None,
        most_bytes: int = MOST_BYTES,
    ) -> Got:
        """Return the answer, whatever its status.

        Raises:
            ServiceDown: nothing answers there.
            DeadlineExceeded: it took longer than `timeout_s`.
            UpstreamFailed: it answered with more than `most_bytes`.
        """
        headers = {"x-request-id": "gateway", **passed_on()}
        if token:
            headers["authorization"] = f"Bearer {token}"
        content: Any = form
        if json is not None:
            content, headers["content-type"] = orjson.dumps(json), "application/json"
        elif form is not None:
            content = form()
            headers["content-type"] = content.content_type
        call = Call(service, method, str(URL(path)), headers, content)
        call.repeatable = method in IDEMPOTENT and content is None
        with self._upstreams.slot(service):
            return await self._ask(call, timeout_s, most_bytes)

    async def _ask(self, call: Call, timeout_s: float, most_bytes: int) -> Got:
        try:
            async with asyncio.timeout(timeout_s):
                endpoint, answer = await self._sender.ask(call)
                try:
                    content = await read_whole(answer, most_bytes)
                    after, own = answer.headers.get("retry-after", ""), "x-request-id" in answer.headers
                    return Got(answer.status, answer.content_type, content, after, own)
                finally:
                    endpoint.end()
                    answer.release()
        except TimeoutError as error:
            raise DeadlineExceeded(f"svc-{call.service} took longer than {timeout_s:g} s.") from error
        except (aiohttp.ClientError, OSError) as error:
            raise ServiceDown(call.service, "closed the connection") from error

    async def json(
        self,
        service: str,
        method: str,
        path: str,
        *,
        token: str = "",
        timeout_s: float,
        json: Any = None,
        form: aiohttp.FormData | None = None,
        most_bytes: int = MOST_BYTES,
    ) -> Any:
        """Return the JSON answer of a service; its own error is raised as `RelayedError`."""
        got = await self.raw(
            service,
            method,
            path,
            token=token,
            timeout_s=timeout_s,
            json=json,
            form=form,
            most_bytes=most_bytes,
        )
        if got.status >= 400:
            raise got.error(service)
        try:
            return orjson.loads(got.content)
        except orjson.JSONDecodeError as error:
            raise UpstreamFailed(f"svc-{service} answered with something that is not JSON.") from error


async def read_whole(answer: Response, most_bytes: int) -> bytes:
    """Return the body; one that is longer is given up, not read on.

    Raises:
        UpstreamFailed: it is longer than `most_bytes`.
    """
    body = bytearray()
    too_long = (answer.content_length or 0) > most_bytes
    while not too_long and (chunk := await answer.content.readany()):
        body += chunk
        too_long = len(body) > most_bytes
    if too_long:
        answer.close()
        raise UpstreamFailed(f"A service answered with more than {most_bytes} bytes.")
    return bytes(body)


async def gather(
    services: Iterable[str], ask: Callable[[str], Awaitable[T]], budget_s: float
) -> dict[str, T | BaseException]:
    """Ask many services at once, and keep their order; whoever is late after `budget_s` is a TimeoutError."""
    tasks = {service: asyncio.ensure_future(ask(service)) for service in services}
    if not tasks:
        return {}
    try:
        await asyncio.wait(tasks.values(), timeout=budget_s)
    finally:  # also when whoever asked has left
        late = {task for task in tasks.values() if not task.done()}
        for task in tasks.values():
            if task in late:
                task.cancel()
            elif not task.cancelled():
                task.exception()  # looked at, so that nobody is told of it as forgotten
    return {
        service: TimeoutError() if task in late else task.exception() or task.result()
        for service, task in tasks.items()
    }
