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

from gateway.domain.memory import MemoryReport, read
from gateway.engine.calls import gather, read_whole
from gateway.engine.endpoints import Endpoint
from gateway.engine.upstreams import Upstreams
from servicekit.errors import UpstreamFailed

_EVERY_S = 1.0
_BUDGET_S = 0.8
LIVE_BUDGET_S = 0.3
_MARGIN_S = 0.1
"""Of several URLs one may be silent to the end of the budget; what the others said still has to be put together."""
_FRESH_S = 2.0
"""An answer this young still counts when the service does not answer a second time as quickly."""
_DOWN_AFTER_S = 10.0
"""Silence after which a service that takes connections and does not answer counts as down."""
_RANK = {"ready": 0, "loading": 1, "not_ready": 2}
"""Which of several URLs' states is the better one."""
_REPORT_BYTES = 64 * 1024
"""Longest answer that is read: reports have a few hundred bytes."""
_UNREADABLE = "answers, but not as this service does: something else may have its port"


@dataclass(frozen=True)
class ServiceState:
    """What a service last said of itself; status is ready, loading, not_ready, slow or down."""

    status: str = "down"
    latency_ms: float | None = None
    model: str | None = None
    """The one that answers where none is named."""
    device: str | None = None
    reason: str | None = "not asked yet"
    queue: dict[str, Any] = field(default_factory=lambda: {"running": 0, "waiting": 0})
    memory: MemoryReport = MemoryReport()
    """What its models hold of the machine's memory."""
    answered_at: float = float("-inf")
    """Monotonic seconds of its last answer."""
    models: str = ""
    """Changes when a model of the service comes or goes."""

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


_NOT_ASKED = ServiceState()


class Poller:
    """The last known state of every service."""

    def __init__(self, upstreams: Upstreams, services: tuple[str, ...]):
        self._upstreams, self._services = upstreams, services
        self.states = dict.fromkeys(services, _NOT_ASKED)
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

    async def edition(self, service: str) -> str:
        """Return what a service's results are kept by: with other models it may have other answers.

        Empty while the service has not told of its models, as in the moment after it was started anew.
        """
        if self.states.get(service) == _NOT_ASKED:
            await self.look()
        state = self.states.get(service, _NOT_ASKED)
        return f"{state.model or ''} {state.models}".strip()

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
        found = await gather(self._services, lambda name: self._ask(name, budget_s), budget_s + _MARGIN_S)
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

    async def _ask(self, service: str, budget_s: float) -> ServiceState:
        endpoints = self._upstreams.endpoints.get(service, ())
        if not endpoints:
            return ServiceState(reason="is not part of this installation")
        asked = (self._ask_one(service, endpoint, budget_s) for endpoint in endpoints)
        found = await asyncio.gather(*asked, return_exceptions=True)
        states = [state for state in found if isinstance(state, ServiceState)]
        if states:
            return _together(states)
        raise next((why for why in found if isinstance(why, TimeoutError)), OSError())

    async def _ask_one(self, service: str, endpoint: Endpoint, budget_s: float) -> ServiceState:
        start = time.perf_counter()
        try:
            async with asyncio.timeout(budget_s):
                session, base = self._upstreams.reach(endpoint)
                async with session.get(f"{base}/readyz", allow_redirects=False) as answer:
                    report = await read_whole(answer, _REPORT_BYTES)
            state = _state(service, report, (time.perf_counter() - start) * 1000)
        except UpstreamFailed:
            state = ServiceState("not_ready", reason=_UNREADABLE, answered_at=time.monotonic())
        except TimeoutError:
            endpoint.silent(_DOWN_AFTER_S)
            raise
        except (aiohttp.ClientError, OSError):
            endpoint.failed(unreachable=True)
            raise
        endpoint.heard(ready=state.status == "ready")
        return state


def _together(states: list[ServiceState]) -> ServiceState:
    """Return what a service with several URLs is: as its best one, with the queues of all."""
    best = min(states, key=lambda state: (_RANK.get(state.status, len(_RANK)), state.latency_ms or 0.0))
    queue = {name: sum(state.queue[name] for state in states) for name in best.queue}
    held = tuple(one for state in states for one in state.memory.held)
    wishes = tuple(one for state in states for one in state.memory.wishes)
    return replace(best, queue=queue, memory=MemoryReport(held, wishes))


def _state(service: str, body: bytes, latency_ms: float) -> ServiceState:
    """Return what a report says; nothing in it is believed to have the right type."""
    now = time.monotonic()
    try:
        report = orjson.loads(body)
    except orjson.JSONDecodeError:
        report = None
    if not isinstance(report, dict) or report.get("status") not in ("ready", "loading", "not_ready"):
        return ServiceState("not_ready", round(latency_ms, 1), reason=_UNREADABLE, answered_at=now)
    queue = report.get("queue")
    return ServiceState(
        report["status"],
        round(latency_ms, 1),
        _text(report.get("model")),
        _text(report.get("device")),
        _text(report.get("reason")),
        {state: _number(queue, state) for state in ("running", "waiting")},
        memory=read(service, report.get("memory")),
        answered_at=now,
        models=_text(report.get("models")) or "",
    )


def _text(value: Any) -> str | None:
    return value[:500] if isinstance(value, str) else None


def _number(queue: Any, state: str) -> int:
    number = queue.get(state) if isinstance(queue, dict) else 0
    return number if isinstance(number, int) and not isinstance(number, bool) else 0
