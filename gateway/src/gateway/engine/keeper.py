"""Runs the ledger's blocking calls beside the event loop, and keeps its leases and its size.

What could not be written when a call ended is owed: it is written later, or when the key is sent again. Otherwise
the key would be in use for as long as this process lives.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import Any, TypeVar

from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError

from gateway.engine.ledger import LEASE_S, Ledger, Outcome
from gateway.errors import KeysNotKept
from servicekit.logs import log_event

T = TypeVar("T")
_PURGE_EVERY = 120
"""Renewals between two purges: ten minutes."""
OWED_BYTES = 16 * 2**20
"""What the bodies of all owed outcomes may take in memory; further ones are owed without theirs."""
log = logging.getLogger(__name__)


class Keeper:
    """The ledger for one event loop."""

    def __init__(self, ledger: Ledger):
        self._ledger = ledger
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="idempotency")
        self._task: asyncio.Task[None] | None = None
        self._held = 0
        self.owed: dict[str, Outcome | None] = {}
        """Outcomes that the database does not have yet, by their records; None: the key is to be free again."""
        self._settling = asyncio.Lock()
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
        await self.stop_tending()
        self._pool.shutdown(wait=False)

    async def stop_tending(self) -> None:
        """Renew leases and write what is owed no more."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def claim(self, record_id: str, user_id: str, fingerprint: str) -> Outcome | bool:
        """As `Ledger.claim`; KeysNotKept when the database cannot be written."""
        try:
            if record_id in self.owed:
                await self._settle(record_id)
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
            await self._write(record_id, outcome)
        except SQLAlchemyError as error:
            log_event(log, "outcome not kept yet", level=logging.ERROR, reason=type(error).__name__)
            self._owe(record_id, outcome)
        finally:
            self._held -= 1
            if not self._held:
                self._idle.set()

    def _owe(self, record_id: str, outcome: Outcome | None) -> None:
        taken = sum(len(one.body or b"") for one in self.owed.values() if one is not None)
        if outcome is not None and taken + len(outcome.body or b"") > OWED_BYTES:
            outcome = replace(outcome, body=None)
        self.owed[record_id] = outcome

    async def _settle(self, record_id: str) -> None:
        """Write what is owed of one record, once. Raises SQLAlchemyError, and then it is still owed."""
        async with self._settling:  # a second release would free the key of the next call
            if record_id in self.owed:
                await self._write(record_id, self.owed[record_id])
                del self.owed[record_id]

    async def _settle_all(self) -> None:
        """Try each record alone. Raises the last SQLAlchemyError; what the database will never take is owed no more."""
        failed: SQLAlchemyError | None = None
        for record_id in list(self.owed):
            try:
                await self._settle(record_id)
            except SQLAlchemyError as error:
                failed = error
                if not isinstance(error, OperationalError | InterfaceError):
                    self.owed.pop(record_id, None)
        if failed is not None:
            raise failed

    async def _write(self, record_id: str, outcome: Outcome | None) -> None:
        if outcome is None:
            await self._in_thread(self._ledger.release, record_id)
        else:
            await self._in_thread(self._ledger.finish, record_id, outcome)

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
                if self._held or self.owed:
                    await self._in_thread(self._ledger.renew)
                await self._settle_all()
            except SQLAlchemyError as error:
                log_event(
                    log,
                    "leases not renewed, or outcomes not kept",
                    level=logging.WARNING,
                    reason=type(error).__name__,
                )
            turn += 1
            await asyncio.sleep(LEASE_S / 3)
