"""The models of another server: asked for seldom, and never waited for when the server is away."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

import httpx

from servicekit.models import InstalledModel

FRESH_S = 5.0
"""Seconds for which an answer, or the absence of one, counts."""
PATIENCE_S = 0.5
"""Seconds that a server may take to list its models."""
STALE_S = 60.0
"""Seconds for which the last list counts while the server is only slow: it may be busy with an answer."""


class ModelList:
    """Remembers what `ask` returned; one asks at a time, the others wait for the same answer.

    Once the server was away or slow, nobody waits any more: whether it is back is found out behind the scenes.
    """

    def __init__(
        self,
        ask: Callable[[], Awaitable[Sequence[InstalledModel]]],
        *,
        fresh_s: float = FRESH_S,
        patience_s: float | None = None,
    ):
        self._ask, self._fresh_s = ask, fresh_s
        self._patience_s = PATIENCE_S if patience_s is None else patience_s
        self._models: Sequence[InstalledModel] = ()
        self._asked_at = self._told_at = float("-inf")
        self._slow = False
        self._asking: asyncio.Task[None] | None = None
        self.away = False

    async def get(self) -> list[InstalledModel]:
        """Return the models; empty while the server is away."""
        if time.monotonic() - self._asked_at >= self._fresh_s:
            if self._asking is None or self._asking.done():
                self._asking = asyncio.create_task(self._refresh())
            if not self.away and not self._slow:
                await asyncio.shield(self._asking)
        return list(self._models)

    async def close(self) -> None:
        """Stop asking."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)

    async def _refresh(self) -> None:
        try:
            async with asyncio.timeout(self._patience_s):
                self._models = tuple(await self._ask())
            self.away = self._slow = False
            self._told_at = time.monotonic()
        except (TimeoutError, httpx.TimeoutException):
            self._slow = True
            if time.monotonic() - self._told_at > STALE_S:
                self._models, self.away = (), True
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError, AttributeError):
            self._models, self.away = (), True
        self._asked_at = time.monotonic()
