"""Rate limits that cost no round trip: counted here, shared through Redis in the background.

A call is judged at once from this process's counters. Every half second the counts go to Redis (the
storage of the `limits` package) and the totals of all processes come back. A dead or frozen Redis
therefore delays nobody; it only leaves each process with its own counts.
"""

from __future__ import annotations

import asyncio
import logging
import time

from limits.aio.storage import Storage
from limits.storage import storage_from_string

from gateway.domain.rates import Rate, Rates
from gateway.errors import TooManyGuesses
from servicekit.errors import TooBusy
from servicekit.logs import log_event

_SYNC_S = 0.5
_PAUSE_S = 5.0
_TIMEOUT_S = 0.2
_BATCH = 200
log = logging.getLogger(__name__)


class Limiter:
    """The rates of every class of calls."""

    def __init__(self, rates: dict[str, str], redis_url: str = ""):
        self._rates = {name: Rates(Rate.of(text)) for name, text in rates.items()}
        self.refused = dict.fromkeys(rates, 0)
        """Calls refused since the start, by class."""
        self._storage = _storage(redis_url) if redis_url else None
        self._task: asyncio.Task[None] | None = None

    def take(self, kind: str, key: str) -> None:
        """Count one call of `key`.

        Raises:
            TooBusy: the rate is reached; the error tells how long to wait.
        """
        wait_s = self._rates[kind].take(key, time.time())
        if wait_s is None:
            return
        self.refused[kind] += 1
        rate = self._rates[kind].rate
        what = f"The limit of {rate.count} calls in {rate.window_s} s is reached ({kind})."
        if kind == "guesses":
            raise TooManyGuesses(f"{what} Wait before trying another password.", retry_after_s=wait_s)
        raise TooBusy(f"{what} Wait {int(wait_s) + 1} s.", retry_after_s=wait_s)

    def give_back(self, kind: str, key: str) -> None:
        """Take back one call that was counted and should not have been."""
        self._rates[kind].give_back(key, time.time())

    def start(self) -> None:
        """Begin sharing counts, if there is a Redis. Call from the event loop."""
        if self._storage is not None:
            self._task = asyncio.create_task(self._share(self._storage))

    async def stop(self) -> None:
        """Stop sharing."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _share(self, storage: Storage) -> None:
        while True:
            await asyncio.sleep(_SYNC_S)
            try:
                for name, rates in self._rates.items():
                    await self._share_one(storage, name, rates)
            except Exception as error:  # whatever the client library raises, limits go on locally
                log_event(log, "shared limits away", level=logging.WARNING, reason=type(error).__name__)
                await asyncio.sleep(_PAUSE_S)

    async def _share_one(self, storage: Storage, name: str, rates: Rates) -> None:
        for key, window, calls in rates.unsent(time.time(), _BATCH):
            async with asyncio.timeout(_TIMEOUT_S):
                total = await storage.incr(
                    f"oficina/{name}/{key}/{window}", rates.rate.window_s * 2, amount=calls
                )
            rates.reconcile(key, window, total)


def _storage(redis_url: str) -> Storage:
    storage = storage_from_string(
        f"async+{redis_url}",
        implementation="redispy",
        socket_timeout=_TIMEOUT_S,
        socket_connect_timeout=_TIMEOUT_S,
    )
    assert isinstance(storage, Storage)
    return storage
