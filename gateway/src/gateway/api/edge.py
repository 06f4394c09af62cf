"""The outermost layer: every request comes in here and is logged, counted and answered once.

Raw ASGI, because two `BaseHTTPMiddleware` layers cost 2.5 times the throughput (measured 2026-07).
Owns the order: address, route, caller, then whoever answers. Knows no service's calls.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping

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
from servicekit import deadline
from servicekit.errors import InternalError, NotFound, ServiceError
from servicekit.logs import request_id_var
from servicekit.metrics import Metrics

_QUIET = frozenset({"/healthz", "/readyz", "/metrics"})
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
    ):
        self.own, self._gate, self._proxy, self._cached = own, gate, proxy, cached
        self._keyed, self._catalogue, self._page, self._metrics = keyed, catalogue, page, metrics
        self._max_body, self._upload_limits = max_body_bytes, upload_limits

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
        route = _NOWHERE
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
            await x.fail(error)
        except Exception:
            log.exception("unexpected error")
            await x.fail(InternalError("Something broke here. The log has the request id."))
        finally:
            x.close()
            self._account(x, route, time.perf_counter() - start)
            request_id_var.reset(token)

    async def _in_time(self, x: Exchange, route: Route) -> None:
        """Answer before the client's own deadline, or say that it has passed."""
        x.deadline = deadline.of(x.header(b"x-request-timeout"))
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
            await self.own(x.scope, x.receive, x.own_send)
        else:
            await self._forward(x, route, caller)

    async def _forward(self, x: Exchange, route: Route, caller: Caller) -> None:
        token, service = caller.identity.token, route.service
        if route.kind is Kind.MODEL:
            service = await self._catalogue.service_of(model_of(x.path), token)
        if x.method == "POST" and b"idempotency-key" in x.seen and not route.keeps_keys:
            await self._keyed.answer(x, service, caller.identity.user_id, token)
        elif route.cached:
            await self._cached.answer(x, service, caller.identity.user_id, token)
        else:
            await self._proxy.forward(x, service, token)

    def _account(self, x: Exchange, route: Route, seconds: float) -> None:
        self._metrics.observe(x.method if len(x.method) < 8 else "OTHER", route.name, x.status, seconds)
        if route.name in _QUIET and x.status < 500:
            return
        if not log.isEnabledFor(logging.INFO):
            return
        fields = {
            "method": x.method[:16],
            "route": route.name,
            "status": x.status,
            "ms": round(seconds * 1000, 1),
            "upstream": route.service or None,
        }
        # Made by hand: looking for the calling line would cost more than the rest of the log entry.
        record = log.makeRecord(
            log.name, logging.INFO, __file__, 0, "request", (), None, "edge", {"fields": fields}
        )
        log.handle(record)
