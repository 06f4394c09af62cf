"""Writes down what all running responses have written, in one transaction for all, a few times a second.

Never a transaction a token: measured, one takes about as long as a small model needs for several.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Generic, Protocol, TypeVar

from servicekit.errors import ServiceError
from servicekit.logs import log_event
from svc_chat.domain.telling import Work

INTERVAL_S = 0.1
"""Between two transactions; what a reader sees is at most so much older. First pieces and ends do not wait."""
LEASE_S = 30.0
"""How long a response stays this process's own without a sign of life."""
RETRY_S = 1.0
"""Between two tries to write to a database that is away."""
W = TypeVar("W", bound=Work)
log = logging.getLogger(__name__)


class Keeps(Protocol):
    """Where progress is written; see Responses and Runs."""

    def keep(self, worker: str, lease_s: float, progress: Sequence[Any]) -> Collection[str]:
        """Write progress in one transaction; return the ids that are no longer `worker`'s to write."""
        ...


class Journal(Generic[W]):
    """Owns the order of writing: one transaction at a time, then the readers are told."""

    def __init__(self, store: Keeps, worker: str, runs: Mapping[str, W]):
        self._store, self._worker, self._runs = store, worker, runs
        self._dirty: dict[str, W] = {}
        self._wake, self._urgent = asyncio.Event(), asyncio.Event()
        self._stopping = False
        self.problem: str | None = None
        """Why nothing can be written down at the moment."""

    def note(self, run: W, *, urgent: bool = False) -> None:
        """Write `run` down with the next transaction, which is at once for its first piece and its end."""
        self._dirty[run.id] = run
        self._wake.set()
        if urgent:
            self._urgent.set()

    def stop(self) -> None:
        """Write down what there is and end `work`."""
        self._stopping = True
        self._wake.set()
        self._urgent.set()

    async def work(self) -> None:
        """Write whenever there is something, until stopped."""
        clock = asyncio.get_running_loop().time
        renewed = clock()
        while not self._stopping:
            await _wait(self._wake, LEASE_S / 3)
            began = clock()
            self._wake.clear()
            self._urgent.clear()
            if began - renewed >= LEASE_S / 3:
                renewed = began
                await self._write([(run, run.renewal()) for run in self._runs.values()])
            await self._flush()
            await _wait(self._urgent, INTERVAL_S - (clock() - began))
        await self._flush()

    async def _flush(self) -> None:
        runs, self._dirty = list(self._dirty.values()), {}
        steps = []
        for run in runs:
            try:
                step = run.take()
            except Exception:  # one broken answer must not end the writing of the others
                log.exception("an answer cannot be told")
                _give_up(run)
            else:
                steps += [(run, step)] if step is not None else []
        await self._write(steps)

    async def _write(self, steps: list[tuple[W, Any]]) -> None:
        if not steps:
            return
        try:
            lost = await self._kept([step for _, step in steps])
        except Exception:
            log.exception("history not written")
            if len(steps) == 1:
                _give_up(steps[0][0])
            else:  # find the one that cannot be written
                for one in steps:
                    await self._write([one])
            return
        for run, step in steps:
            if run.id in lost:
                _give_up(run)
            else:
                run.publish(step.events)

    async def _kept(self, progress: list[Any]) -> set[str]:
        """Return the ids that are lost; tries again until the database is there."""
        while True:
            try:
                lost = await asyncio.to_thread(self._store.keep, self._worker, LEASE_S, progress)
                self.problem = None
                return set(lost)
            except ServiceError as error:
                self.problem = error.message
                log_event(log, "history not written", level=logging.ERROR, reason=error.code)
                await asyncio.sleep(RETRY_S)


def _give_up(run: Work) -> None:
    """Stop an answer here: it is another process's, was deleted, or cannot be written."""
    run.cancel()
    run.close()


async def _wait(event: asyncio.Event, timeout_s: float) -> None:
    """Wait for `event`, at most so long. `asyncio.wait_for` of Python 3.11 can swallow a cancellation."""
    try:
        async with asyncio.timeout(timeout_s):
            await event.wait()
    except TimeoutError:
        pass
