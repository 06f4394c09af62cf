"""Runs the ledger's blocking calls beside the event loop, and keeps its leases and its size."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

from sqlalchemy.exc import SQLAlchemyError

from gateway.engine.ledger import LEASE_S, Ledger, Outcome
from gateway.errors import KeysNotKept
from servicekit.logs import log_event

T = TypeVar("T")
_PURGE_EVERY = 120
"""Renewals between two purges: ten minutes."""
log = logging.getLogger(__name__)


class Keeper:
    """The ledger for one event loop."""

    def __init__(self, ledger: Ledger):
        self._ledger = ledger
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="idempotency")
        self._task: asyncio.Task[None] | None = None
        self._held = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def start(self) -> None:
        """Begin to renew leases. Call from the event loop."""
        self._task = asyncio.create_task(self._tend())

    async def settled(self, within_s: float) -> None:
        """Wait a little until calls whose client has left have an outcome."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._idle.wait()

    async def stop(self) -> None:
        """Stop; leases run out by themselves."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._pool.shutdown(wait=False)

    async def claim(self, record_id: str, user_id: str, fingerprint: str) -> Outcome | bool:
        """As `Ledger.claim`; KeysNotKept when the database cannot be written."""
        try:
            found = await self._in_thread(self._ledger.claim, record_id, user_id, fingerprint)
        except SQLAlchemyError as error:
            raise KeysNotKept() from error
        if found is True:
            self._held += 1
            self._idle.clear()
        return found

    async def finish(self, record_id: str, outcome: Outcome | None) -> None:
        """Keep a call's outcome, or free its key when there is none. Never raises: the answer is there."""
        try:
            if outcome is None:
                await self._in_thread(self._ledger.release, record_id)
            else:
                await self._in_thread(self._ledger.finish, record_id, outcome)
        except SQLAlchemyError as error:
            log_event(log, "outcome not kept", level=logging.ERROR, reason=type(error).__name__)
        finally:
            self._held -= 1
            if not self._held:
                self._idle.set()

    async def forget(self, user_id: str) -> None:
        """Remove all outcomes of an account that is gone."""
        await self._in_thread(self._ledger.forget, user_id)

    async def _in_thread(self, work: Callable[..., T], *args: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work, *args)

    async def _tend(self) -> None:
        turn = 0
        while True:
            try:
                if turn % _PURGE_EVERY == 0:
                    await self._in_thread(self._ledger.purge)
                if self._held:
                    await self._in_thread(self._ledger.renew)
            except SQLAlchemyError as error:
                log_event(log, "leases not renewed", level=logging.WARNING, reason=type(error).__name__)
            turn += 1
            await asyncio.sleep(LEASE_S / 3)
