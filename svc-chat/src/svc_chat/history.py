"""Puts together what keeps conversations and answers. Part of `app`."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.engine import Engine as Database

from servicekit.errors import ServiceError
from servicekit.health import Readiness
from servicekit.logs import log_event
from svc_chat.domain.conversations import ConversationService
from svc_chat.domain.responses import ResponseService
from svc_chat.domain.service import ChatService
from svc_chat.domain.workers import Workers
from svc_chat.domain.writer import ResponseWriter
from svc_chat.engine.history import Responses
from svc_chat.engine.store_conversations import SqlConversations
from svc_chat.engine.store_responses import SqlResponses
from svc_chat.settings import Settings

UPKEEP_S = 60.0
"""Between two looks for answers that a process which is gone left behind."""
_EARLIER_S = 0.5
_DAY_S = 86_400.0
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class History:
    """The services that keep, and the tasks that work for them."""

    responses: ResponseService
    conversations: ConversationService
    writer: ResponseWriter
    store: Responses
    retention_s: float
    chores: Sequence[Callable[[], object]] = ()
    """What else is done at the start and now and then; each blocks."""
    others: Sequence[Workers[Any]] = ()
    """Tasks that write other things, and start, stop and take over as `writer` does."""

    @property
    def _writers(self) -> tuple[Workers[Any], ...]:
        return (self.writer, *self.others)

    async def start(self, readiness: Readiness) -> asyncio.Task[None]:
        """Begin to work; return the task that cleans up."""
        readiness.add_check("history", lambda: self.writer.journal.problem)
        readiness.on_drain(self._drain)
        for number, other in enumerate(self.others):
            readiness.add_check(f"work-{number}", lambda other=other: other.journal.problem)  # type: ignore[misc]
        for writer in self._writers:
            await writer.start()
        await self._do_chores()
        return asyncio.create_task(self._upkeep())

    async def close(self, upkeep: asyncio.Task[None]) -> None:
        """Write down what is being written, and stop."""
        upkeep.cancel()
        await asyncio.gather(upkeep, return_exceptions=True)
        await self._close_writers()

    def _drain(self, seconds: float) -> None:
        """Stop writing a little before engines end their answers: ours go on at the next start."""
        loop = asyncio.get_running_loop()
        loop.call_later(max(0.0, seconds - _EARLIER_S), lambda: loop.create_task(self._close_writers()))

    async def _close_writers(self) -> None:
        await asyncio.gather(*(writer.close() for writer in self._writers))

    async def _do_chores(self) -> None:
        for chore in self.chores:
            try:
                await asyncio.to_thread(chore)
            except (ServiceError, OSError) as error:
                log_event(log, "chore not done", level=logging.WARNING, reason=type(error).__name__)

    async def _upkeep(self) -> None:
        while True:
            try:
                if self.retention_s:
                    removed = await asyncio.to_thread(self.store.sweep, time.time() - self.retention_s)
                    if removed:
                        log_event(log, "history swept", removed=removed)
                for writer in self._writers:
                    await writer.take_over()
            except ServiceError as error:
                log_event(log, "history not looked after", level=logging.WARNING, reason=error.code)
            await asyncio.sleep(UPKEEP_S)
            await self._do_chores()


def build_history(
    service: ChatService,
    database: Database,
    settings: Settings,
    chores: Sequence[Callable[[], object]] = (),
    others: Sequence[Workers[Any]] = (),
) -> History:
    """Return what keeps conversations and answers in `database`."""
    conversations, responses = SqlConversations(database), SqlResponses(database)
    writer = ResponseWriter(service, responses, background_running=settings.background_running)
    answers = ResponseService(
        service, writer, responses, conversations, background_max=settings.background_max
    )
    return History(
        answers,
        ConversationService(conversations, answers),
        writer,
        responses,
        settings.history_retention_days * _DAY_S,
        chores,
        others,
    )
