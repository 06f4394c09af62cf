"""The tasks of one process that write what is stored, and what happens to them at the start and at the end.

A task of its own writes each piece of work; who reads it may come and go. What was interrupted by the end of
the process is taken up at the next start.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Coroutine
from typing import Any, Generic, TypeVar

from servicekit.deadline import detached
from servicekit.errors import NotReady
from svc_chat.domain.journal import Journal, Keeps
from svc_chat.domain.telling import Telling

MAX_ATTEMPTS = 3
"""Starts of the service at which work is taken up; what ends the process each time is given up."""
W = TypeVar("W", bound=Telling)
log = logging.getLogger(__name__)


class Workers(Generic[W]):
    """Owns the tasks that write. Belongs to the event loop of the app."""

    def __init__(self, store: Keeps):
        self.worker = uuid.uuid4().hex
        self.runs: dict[str, W] = {}
        self.journal: Journal[Any] = Journal(store, self.worker, self.runs)  # type: ignore[type-var]
        self._tasks: set[asyncio.Task[Any]] = set()
        self._journaling: asyncio.Task[None] | None = None
        self._closing: asyncio.Future[None] | None = None

    async def start(self) -> None:
        """Begin to work, with what was left unfinished."""
        self._journaling = asyncio.create_task(self.journal.work())
        await self.take_over()

    async def take_over(self) -> None:
        """Go on with what nobody writes any more."""
        raise NotImplementedError

    async def close(self) -> None:
        """Stop; what is being written is written down and goes on at the next start. May be called twice."""
        if self._closing is None:
            self._closing = asyncio.ensure_future(self._close())
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        writing = [run.task for run in self.runs.values() if run.task is not None]
        for task in writing:
            task.cancel()
        await asyncio.gather(*writing, return_exceptions=True)
        self.journal.stop()
        if self._journaling is not None:
            _, late = await asyncio.wait({self._journaling}, timeout=5.0)
            for task in late:
                log.error("history not written before the end")
                task.cancel()
        for run in self.runs.values():
            run.close()

    def check_open(self) -> None:
        """Raise NotReady when the service is stopping."""
        if self._closing is not None:
            raise NotReady("The service is stopping. Try again in a moment.")

    def launch(self, run_id: str, run: W, writing: Coroutine[Any, Any, None]) -> W:
        """Begin to write."""
        self.runs[run_id] = run
        run.task = self._spawn(writing)
        self._spawn(self._forget(run_id, run))
        return run

    def ended_early(self, run: W) -> None:
        """Write down the end of what was cancelled before its task had begun."""
        raise NotImplementedError

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.create_task(work, context=detached())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _forget(self, run_id: str, run: W) -> None:
        if run.task is not None:
            await asyncio.wait({run.task})
        if run.cancelled:
            self.ended_early(run)
        await run.done.wait()
        if self.runs.get(run_id) is run:
            del self.runs[run_id]
