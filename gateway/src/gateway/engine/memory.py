"""The machine's memory for models: grants loads of all services, and has idle models of others leave for them.

What is held is read from the services' own reports, so that nothing is owed by a process that died and nothing is
lost when the gateway starts again. Only grants that no report shows yet are kept here.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from gateway.domain.memory import Held, Wish, leaving
from gateway.engine.calls import Calls
from gateway.engine.poller import Poller
from servicekit.errors import NotFound, NotReady, ServiceError
from servicekit.logs import log_event

UNLOAD_S = 15.0
"""How long a service may take to free a model."""
_LOOK_S = 2.0
"""How long a wish is looked for in the reports: a busy service's may be late."""
_UNSEEN_S = 2.0
"""A report this much younger than a grant tells whether the load went on."""
log = logging.getLogger(__name__)


class NoMemory(NotReady):
    """The budget for models leaves no room for one more."""

    code = "no_memory_for_model"


class UnknownWish(NotFound):
    """No service says that it waits for this."""

    code = "wish_not_found"


class MemoryBudget:
    """Grants loads one at a time.

    Args:
        budget_bytes: what the models of all services may take together.
        poller: knows what the services report.
        calls: asks services to unload.
        token: makes the identity token of such a call.
    """

    def __init__(self, budget_bytes: int, poller: Poller, calls: Calls, token: Callable[[], str]):
        self.budget_bytes = budget_bytes
        self._poller, self._calls, self._token = poller, calls, token
        self._granted: dict[str, tuple[float, Held]] = {}
        self._deciding = asyncio.Lock()

    def held(self) -> list[Held]:
        """Return what is held as last reported, with the grants that no report shows yet."""
        self._forget()
        shown = [one for state in self._poller.states.values() for one in state.memory.held]
        there = {(one.service, one.model) for one in shown}
        return shown + [one for _, one in self._granted.values() if (one.service, one.model) not in there]

    def public(self) -> dict[str, Any]:
        """Return what `/api/status` tells."""
        held = self.held()
        return {
            "budget_bytes": self.budget_bytes,
            "held_bytes": sum(one.held_bytes for one in held),
            "held": [one.public() for one in sorted(held, key=lambda one: -one.held_bytes)],
        }

    async def grant(self, service: str, wish_id: str) -> None:
        """Grant a wish that the service itself reports, after idle models have left for it.

        Raises:
            UnknownWish: the service reports no such wish. NoMemory: what is in use leaves too little.
        """
        async with self._deciding:
            wish = await self._look(service, wish_id)
            if wish_id not in self._granted:
                await self._make_room(wish)
                granted = Held(service, wish.model, wish.need_bytes, in_use=True, idle_s=0.0)
                self._granted[wish_id] = (time.monotonic(), granted)

    async def _look(self, service: str, wish_id: str) -> Wish:
        deadline = time.monotonic() + _LOOK_S
        while True:
            states = await self._poller.look()
            wishes = (one for state in states.values() for one in state.memory.wishes)
            wish = next((one for one in wishes if (one.id, one.service) == (wish_id, service)), None)
            if wish is not None:
                return wish
            if time.monotonic() > deadline:
                raise UnknownWish(
                    f"svc-{service[:40]} does not say that it waits for this load.", param="wish"
                )
            await asyncio.sleep(0.1)  # its report was late

    def _forget(self) -> None:
        """Let grants go whose wish no report shows any more: the load holds its memory itself, or has ended."""
        waiting = {wish.id for state in self._poller.states.values() for wish in state.memory.wishes}
        now = time.monotonic()
        self._granted = {
            key: (at, one)
            for key, (at, one) in self._granted.items()
            if key in waiting or now - at < _UNSEEN_S
        }

    async def _make_room(self, wish: Wish) -> None:
        if wish.need_bytes > self.budget_bytes:
            raise NoMemory(
                f"The model '{wish.model}' needs {_mib(wish.need_bytes)} and all models together may take "
                f"{_mib(self.budget_bytes)}. Choose a smaller one, or raise GATEWAY_MEMORY_BUDGET_MB.",
                param="model",
                retry_after_s=None,
            )
        held = [one for one in self.held() if (one.service, one.model) != (wish.service, wish.model)]
        while (missing := sum(one.held_bytes for one in held) + wish.need_bytes - self.budget_bytes) > 0:
            chosen = leaving(held, missing)
            if chosen is None:
                raise self._refusal(wish, held)
            for one in chosen:
                held.remove(one)
                if not await self._unload(one):  # it began to answer meanwhile
                    held.append(Held(one.service, one.model, one.held_bytes, in_use=True, idle_s=0.0))

    async def _unload(self, one: Held) -> bool:
        path = f"/v1/models/{quote(one.model)}/unload"
        try:
            await self._calls.json(one.service, "POST", path, token=self._token(), timeout_s=UNLOAD_S)
        except ServiceError as error:
            log_event(
                log, "model not unloaded", service_asked=one.service, model=one.model, reason=error.message
            )
            return False
        log_event(log, "model unloaded for another", service_asked=one.service, model=one.model)
        return True

    def _refusal(self, wish: Wish, held: list[Held]) -> NoMemory:
        by_size = sorted(held, key=lambda one: -one.held_bytes)
        there = ", ".join(
            f"{one.model} (svc-{one.service}, {_mib(one.held_bytes)}, {'in use' if one.in_use else 'idle'})"
            for one in by_size[:8]
        )
        return NoMemory(
            f"The model '{wish.model}' needs {_mib(wish.need_bytes)} of the {_mib(self.budget_bytes)} for models. "
            f"Held by: {there}. Try again when they have answered, unload one, or raise GATEWAY_MEMORY_BUDGET_MB.",
            param="model",
            retry_after_s=5,
        )


def _mib(count: int) -> str:
    return f"{-(-count // 2**20)} MiB"
