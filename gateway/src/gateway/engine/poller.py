"""Knows how each service is: asks `/readyz` of all of them once a second and whenever somebody looks.

A killed service is told within two seconds, a hanging one costs nobody more than the budget.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field, replace
from typing import Any

import aiohttp
import orjson

from gateway.engine.calls import gather
from gateway.engine.upstreams import Upstreams

_EVERY_S = 1.0
_BUDGET_S = 0.8
LIVE_BUDGET_S = 0.3
_FRESH_S = 2.0
"""An answer this young still counts when the service does not answer a second time as quickly."""
_DOWN_AFTER_S = 10.0
"""Silence after which a service that takes connections and does not answer counts as down."""


@dataclass(frozen=True)
class ServiceState:
    """What a service last said of itself; status is ready, loading, not_ready, slow or down."""

    status: str = "down"
    latency_ms: float | None = None
    model: str | None = None
    device: str | None = None
    reason: str | None = "not asked yet"
    queue: dict[str, Any] = field(default_factory=lambda: {"running": 0, "waiting": 0})
    answered_at: float = float("-inf")
    """Monotonic seconds of its last answer."""

    def public(self) -> dict[str, Any]:
        """Return the service's entry in `/api/status`."""
        return {
            "status": self.status,
            "latency_ms": self.latency_ms,
            "model": self.model,
            "device": self.device,
            "queue": self.queue,
            "reason": self.reason,
        }


class Poller:
    """The last known state of every service."""

    def __init__(self, upstreams: Upstreams, services: tuple[str, ...]):
        self._upstreams, self._services = upstreams, services
        self.states = dict.fromkeys(services, ServiceState())
        self._task: asyncio.Task[None] | None = None
        self._looking: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin asking every second. Call from the event loop."""
        self._task = asyncio.create_task(self._poll())

    async def stop(self) -> None:
        """Stop asking."""
        for task in (self._task, self._looking):
            if task:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    async def look(self) -> dict[str, ServiceState]:
        """Ask everybody now, at most `LIVE_BUDGET_S`; callers at the same moment share one look."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._ask_all(LIVE_BUDGET_S))
        await asyncio.shield(self._looking)
        return self.states

    async def _poll(self) -> None:
        while True:
            await self._ask_all(_BUDGET_S)
            await asyncio.sleep(_EVERY_S)

    async def _ask_all(self, budget_s: float) -> None:
        found = await gather(self._services, self._ask, budget_s)
        states = dict(self.states)
        for service, state in found.items():
            states[service] = state if isinstance(state, ServiceState) else self._silent(service, state)
        self.states = states

    def _silent(self, service: str, why: BaseException) -> ServiceState:
        last = self.states[service]
        silent_s = time.monotonic() - last.answered_at
        if not isinstance(why, TimeoutError) or silent_s > _DOWN_AFTER_S:
            return ServiceState(reason="does not answer")
        if silent_s < _FRESH_S:
            return last
        return replace(last, status="slow", latency_ms=None, reason="does not answer in time")

    async def _ask(self, service: str) -> ServiceState:
        urls = self._upstreams.urls(service)
        if not urls:
            return ServiceState(reason="is not part of this installation")
        start = time.perf_counter()
        for url in urls:
            try:
                async with self._upstreams.session.get(f"{url}/readyz", allow_redirects=False) as answer:
                    return _state(await answer.read(), answer.status, (time.perf_counter() - start) * 1000)
            except (aiohttp.ClientError, OSError):
                self._upstreams.avoid(url)
        return ServiceState(reason="does not answer")


def _state(body: bytes, status: int, latency_ms: float) -> ServiceState:
    try:
        report = orjson.loads(body)
    except orjson.JSONDecodeError:
        report = {}
    if not isinstance(report, dict):
        report = {}
    said = report.get("status")
    known = said if said in ("ready", "loading", "not_ready") else ("ready" if status == 200 else "not_ready")
    queue = report.get("queue")
    return ServiceState(
        str(known),
        round(latency_ms, 1),
        report.get("model"),
        report.get("device"),
        report.get("reason"),
        queue if isinstance(queue, dict) else {"running": 0, "waiting": 0},
        time.monotonic(),
    )
