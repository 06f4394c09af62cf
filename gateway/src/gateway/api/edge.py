"""The outermost layer: every request comes in here and is logged, counted and answered once.

Raw ASGI, because two `BaseHTTPMiddleware` layers cost 2.5 times the throughput (measured 2026-07).
Owns the order: address, route, caller, then whoever answers. Knows no service's calls.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.api.cached import CachedProxy
from gateway.api.exchange import ClientGone, Exchange, error_event
from gateway.api.gate import Gate
from gateway.api.keyed import KeyedProxy
from gateway.api.page import Page
from gateway.api.proxy import Proxy
from gateway.domain.routing import Kind, Route, decide, model_of
from gateway.engine.catalogue import Catalogue
from gateway.engine.resolver import Caller
from gateway.settings import SERVICES
from servicekit import deadline
from servicekit.errors import BadRequest, InternalError, ModelNotFound, NotFound, ServiceError
from servicekit.json_text import checked
from servicekit.logs import RequestLog, request_id_var
from servicekit.metrics import Metrics
from servicekit.tracing import Tracing, trace_var

_QUIET = frozenset({"/healthz", "/readyz", "/metrics"})
_SERVICES = ", ".join(SERVICES)
_NOWHERE = Route(Kind.UNKNOWN, "refused")
log = logging.getLogger(__name__)


class Edge:
    """The gateway's ASGI app."""

    def __init__(
        self,
        *,
        own: ASGIApp,
        gate: Gate,
        proxy: Proxy,
        cached: CachedProxy,
        keyed: KeyedProxy,
        catalogue: Catalogue,
        page: Page,
        metrics: Metrics,
        max_body_bytes: int,
        upload_limits: Mapping[str, int],
        tracing: Tracing | None = None,
    ):
        self.own, self._gate, self._proxy, self._cached = own, gate, proxy, cached
        self._keyed, self._catalogue, self._page, self._metrics = keyed, catalogue, page, metrics
        self._max_body, self._upload_limits, self._tracing = max_body_bytes, upload_limits, tracing
        self._log = RequestLog(log, "edge")
        self.answering = 0
        """Requests being answered."""
        self.failures: dict[tuple[str, str], int] = {}
        """Calls that a service did not answer, or not to the end, by service and code."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.own(scope, receive, send)
            return
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
            return
        start = time.perf_counter()
        limit = self._upload_limits.get(scope["path"], self._max_body)
        x = Exchange(scope, receive, send, limit)
        token = request_id_var.set(x.request_id)
        span = self._begin(x) if self._tracing is not None else None
        route = _NOWHERE
        self.answering += 1
        try:
            self._gate.check_address(x)
            route = decide(x.method, x.path)
            await self._in_time(x, route)
        except asyncio.CancelledError:
            if not x.gone:
                raise
            # The client left; what was under way upstream has been closed by the cancellation.
            x.status = 499
            asyncio.current_task().uncancel()  # type: ignore[union-attr]
        except ClientGone:
            x.status = 499
        except ServiceError as error:
            if error.status >= 500:
                x.failed = error.code
            await x.fail(error)
        except Exception:
            log.exception("unexpected error")
            await x.fail(InternalError("Something broke here. The log has the request id."))
        finally:
            self.answering -= 1
            x.close()
            self._account(x, route, time.perf_counter() - start)
            if self._tracing is not None:
                self._tracing.end(span, route=route.name, status=x.status, request_id=x.request_id)
            request_id_var.reset(token)

    def _begin(self, x: Exchange) -> Any:
        """Start the span of this request. Its task ends with it, so the variable is not set back."""
        assert self._tracing is not None
        span = self._tracing.begin(x.method, x.header(b"traceparent"), x.header(b"tracestate"))
        x.trace = self._tracing.headers(span)
        trace_var.set(x.trace)
        return span

    async def _in_time(self, x: Exchange, route: Route) -> None:
        """Answer before the client's own deadline, or say that it has passed."""
        x.deadline = deadline.of(x.header(b"x-request-timeout"))
        deadline.enter(x.deadline)
        if x.deadline is None:
            await self._answer(x, route)
            return
        try:
            async with asyncio.timeout(x.deadline.left_s) as limit:
                await self._answer(x, route)
        except TimeoutError as error:
            if not limit.expired():
                raise
            late = x.deadline.error()
            if not x.started:
                raise late from error
            await x.break_off(error_event(late) if x.is_events else b"")

    async def _answer(self, x: Exchange, route: Route) -> None:
        if route.kind is Kind.UNKNOWN:
            raise NotFound(f"There is no {x.method} {x.path[:200]}. See /openapi.json.")
        caller = await self._gate.admit(x, route)
        x.check_length()
        if route.kind is Kind.PAGE:
            await self._page.answer(x)
        elif caller is None or route.kind is Kind.OWN:
            if caller is not None:
                x.scope["oficina.identity"] = caller.identity
                x.scope["oficina.credential"] = caller.credential_id
            await self.own(x.scope, checked(x.receive, x.header(b"content-type")), x.own_send)
            if x.refused is not None and not x.started:
                raise x.refused
        else:
            await self._forward(x, route, caller)

    async def _forward(self, x: Exchange, route: Route, caller: Caller) -> None:
        token, service = caller.identity.token, route.service
        if route.kind is Kind.MODEL:
            service = await self._service_of_model(x, caller)
        if x.method == "POST" and b"idempotency-key" in x.seen and not route.keeps_keys:
            await self._keyed.answer(x, service, caller.identity.user_id, token)
        elif route.cached:
            await self._cached.answer(x, service, caller.identity.user_id, token)
        else:
            await self._proxy.forward(x, service, token)

    async def _service_of_model(self, x: Exchange, caller: Caller) -> str:
        """Return who has the model in the path; what is to be removed may be a download that no list names."""
        model_id = model_of(x.path)
        if x.method != "DELETE":
            return await self._catalogue.service_of(model_id, caller.identity)
        asked = parse_qs(x.scope["query_string"].decode("latin-1"), keep_blank_values=True).get("service")
        if asked is None:
            try:
                return await self._catalogue.service_of(model_id, caller.identity)
            except ModelNotFound as error:
                remedy = f"To free what a stopped install fetched, add ?service= and one of {_SERVICES}."
                raise ModelNotFound(f"{error.message} {remedy}", param="model") from error
        if asked[-1] not in SERVICES:
            raise BadRequest(f"'{asked[-1][:100]}' is no service. Use one of {_SERVICES}.", param="service")
        return asked[-1]

    def _account(self, x: Exchange, route: Route, seconds: float) -> None:
        self._metrics.observe(x.method, route.name, x.status, seconds)
        if x.failed and route.service:
            failure = (route.service, x.failed)
            self.failures[failure] = self.failures.get(failure, 0) + 1
        if route.name in _QUIET and x.status < 500:
            return
        self._log.add(
            {
                "method": x.method[:16],
                "route": route.name,
                "status": x.status,
                "ms": round(seconds * 1000, 1),
                "upstream": route.service or None,
            }
        )
