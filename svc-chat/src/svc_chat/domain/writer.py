"""Writes stored responses: the server owns an answer, not the connection that asked for it.

A task of its own writes each response; who reads it may come and go. What was interrupted by the end of
the process is taken up at the next start.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from servicekit.errors import InternalError, NotReady, ServiceError, TooBusy
from svc_chat.domain.ask_json import from_json, to_json
from svc_chat.domain.draft import Draft
from svc_chat.domain.journal import LEASE_S
from svc_chat.domain.making import made
from svc_chat.domain.replay import Interrupted, Retelling
from svc_chat.domain.run import Run
from svc_chat.domain.service import Ask, ChatService, Prepared
from svc_chat.domain.truncation import shortened
from svc_chat.domain.workers import MAX_ATTEMPTS, Workers
from svc_chat.engine.base import Delta, Usage
from svc_chat.engine.history import Event, Responses, StoredResponse
from svc_chat.errors import ContextTooLong

PATIENCE_S = 600.0
"""How long a response that nobody waits for tries again while the model is busy or loading."""
_RETRY_S = 1.0
log = logging.getLogger(__name__)


class ResponseWriter(Workers[Run]):
    """Owns the tasks that write responses."""

    def __init__(self, service: ChatService, store: Responses, *, background_running: int):
        super().__init__(store)
        self._service, self._store = service, store
        self._turns = asyncio.Semaphore(background_running)

    async def take_over(self) -> None:
        """Go on with responses that nobody writes any more."""
        for stored in await asyncio.to_thread(self._store.claim, self.worker, LEASE_S):
            try:
                events = await asyncio.to_thread(self._store.events, stored.id, -1)
                run = Run(stored, events, patient=True)
            except (
                KeyError,
                IndexError,
                TypeError,
                ValueError,
            ):  # one that cannot be read must not keep the service from starting
                log.exception("an answer cannot be taken up")
                await asyncio.to_thread(self._store.cancel, stored.owner, stored.id)
            else:
                self._begin(run, None)

    async def add(self, stored: StoredResponse, prepared: Prepared) -> Run:
        """Keep a new response and begin to write it; raises ConversationLocked, NotFound."""
        self.check_open()
        draft = Draft(stored.body)
        events: list[Event] = [*draft.created()]
        if not stored.background:
            events += draft.begun()
        await asyncio.to_thread(self._store.add, stored, events, self.worker, LEASE_S)
        return self._begin(Run(stored, events, patient=stored.background), prepared)

    def ended_early(self, run: Run) -> None:
        """Write down the end of one that was cancelled before its task had begun."""
        if not run.ends:
            run.end(Draft.cancel)
            self.journal.note(run, urgent=True)

    def _begin(self, run: Run, prepared: Prepared | None) -> Run:
        return self.launch(run.id, run, self._write(run, prepared))

    async def _write(self, run: Run, prepared: Prepared | None) -> None:
        try:
            if run.patient:
                async with self._turns:
                    await self._patiently(run, prepared)
            else:
                await self._once(run, prepared)
        except asyncio.CancelledError:
            if not run.cancelled:  # the service stops: it goes on at the next start
                raise
            run.end(Draft.cancel)
        except ServiceError as error:
            self._fail(run, error)
        except Exception:
            log.exception("response not written")
            self._fail(run, InternalError("Something broke while the answer was written. Ask again."))
        if run.id in self.runs:
            self.journal.note(run, urgent=True)

    def _fail(self, run: Run, error: ServiceError) -> None:
        if not run.refuse(error):
            run.end(lambda draft: draft.fail(error))

    def announce(self, run: Run) -> None:
        """Nobody waits for the first piece any more: from now on errors are told as events."""
        run.announced = True
        error = run.began.exception() if run.began.done() and not run.began.cancelled() else None
        if isinstance(error, ServiceError):
            run.end(lambda draft: draft.fail(error))
            self.journal.note(run)

    async def _patiently(self, run: Run, prepared: Prepared | None) -> None:
        """Try again while the model is busy or loads: nobody waits for a status."""
        if run.draft.body["status"] == "queued":
            run.step(Draft.begun)
            self.journal.note(run)
        until = asyncio.get_running_loop().time() + PATIENCE_S
        while True:
            try:
                return await self._once(run, prepared)
            except (TooBusy, NotReady) as error:
                late = asyncio.get_running_loop().time() > until
                lasting = error.retry_after_s is None or isinstance(error, Interrupted)
                if late or lasting or run.began.done():
                    raise
                await asyncio.sleep(_RETRY_S)

    async def _once(self, run: Run, prepared: Prepared | None) -> None:
        if run.stored.attempts > MAX_ATTEMPTS:
            raise InternalError(
                f"The answer was interrupted {MAX_ATTEMPTS} times and is given up. Ask again."
            )
        retelling, earlier = None, 0
        if prepared is None:
            ask = from_json(run.stored.request)
            if run.draft.calls or ask.json_schema is not None:
                retelling = Retelling(run.draft.text, run.draft.calls)
            else:
                earlier = run.written
                if earlier >= ask.sampling.max_tokens:
                    run.end(lambda draft: draft.finish("length", None))
                    return
                ask = replace(ask, written=run.draft.text, sampling=_fewer(ask, earlier))
            prepared = await self._service.prepare(ask, run.stored.owner)
        await self._generate(run, prepared, retelling, earlier)

    async def _generate(
        self, run: Run, prepared: Prepared, retelling: Retelling | None, earlier: int
    ) -> None:
        while True:
            try:
                async with aclosing(self._service.events(prepared)) as deltas:
                    async for delta in deltas:
                        self._take(run, retelling.rest(delta) if retelling else delta, prepared, earlier)
                return
            except ContextTooLong as error:
                if run.draft.output:  # an answer taken up again that now fills the context
                    run.end(lambda draft: draft.finish("length", None))
                    return
                prepared = self._shorten(run, prepared, error)

    def _take(self, run: Run, delta: Delta, prepared: Prepared, earlier: int) -> None:
        first = not run.began.done()
        if delta.finish_reason is None:
            run.add(delta)
        else:
            reason, usage = delta.finish_reason, whole_usage(delta.usage, earlier)
            extra = made(prepared, [usage or Usage()])
            run.add(delta, lambda draft: draft.finish(reason, usage, extra))
        self.journal.note(run, urgent=first or delta.finish_reason is not None)

    def _shorten(self, run: Run, prepared: Prepared, error: ContextTooLong) -> Prepared:
        if run.stored.body["truncation"] != "auto":
            raise error
        shorter = shorten(prepared, error)
        before, after = len(prepared.request.messages), len(shorter.request.messages)
        ask = replace(from_json(run.stored.request), messages=shorter.request.messages)
        run.request = to_json(ask)
        run.step(lambda draft: draft.drop(before - after))
        return shorter


def shorten(prepared: Prepared, error: ContextTooLong) -> Prepared:
    """Drop the oldest turns; raises `error` when there are none to drop."""
    request = prepared.request
    messages = shortened(request.messages, error.tokens, error.limit, request.sampling.max_tokens)
    if messages is None:
        raise error
    return replace(prepared, request=replace(request, messages=messages))


def _fewer(ask: Ask, earlier: int) -> Any:
    return replace(ask.sampling, max_tokens=max(1, ask.sampling.max_tokens - earlier))


def whole_usage(usage: Usage | None, earlier: int) -> Usage | None:
    """Count what was written before a restart as written, not as read."""
    if usage is None or earlier == 0:
        return usage
    return replace(
        usage,
        prompt_tokens=max(0, usage.prompt_tokens - earlier),
        completion_tokens=usage.completion_tokens + earlier,
        cached_tokens=min(usage.cached_tokens, max(0, usage.prompt_tokens - earlier)),
    )
