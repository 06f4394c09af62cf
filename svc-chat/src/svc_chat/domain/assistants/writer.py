"""Works on runs: turn by turn, tool by tool. Each step is in the database before the next begins.

Whatever happens to the process, a run goes on at the step where it was: text goes on after what is there, a
search is made again, code that was begun is not run a second time.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from servicekit.errors import InternalError, NotReady, ServiceError, TooBusy
from svc_chat.domain.answers import Gathering
from svc_chat.domain.ask_json import from_json
from svc_chat.domain.assistants.citations import cited, made_files, new_pictures, sources
from svc_chat.domain.assistants.computed import computed
from svc_chat.domain.assistants.permits import Permits
from svc_chat.domain.assistants.prompt import own_turns, with_passages
from svc_chat.domain.assistants.state import RunState
from svc_chat.domain.assistants.tools import ToolBox, interrupted, search_call, step_calls
from svc_chat.domain.assistants.work import AssistantRun, Grant
from svc_chat.domain.items import new_id
from svc_chat.domain.journal import LEASE_S
from svc_chat.domain.replay import Interrupted, Retelling
from svc_chat.domain.service import Ask, ChatService, Prepared
from svc_chat.domain.truncation import shortened
from svc_chat.domain.workers import MAX_ATTEMPTS, Workers
from svc_chat.domain.writer import whole_usage
from svc_chat.engine.base import Usage
from svc_chat.engine.threads import Body, Runs, StoredRun, WholeRun
from svc_chat.errors import ContextTooLong

MAX_TURNS = 24
"""Answers of the model in one go of a run: one that calls tools for ever is ended."""
_RETRY_S = 1.0
log = logging.getLogger(__name__)


class RunWriter(Workers[AssistantRun]):
    """Owns the tasks that work on runs."""

    def __init__(
        self,
        service: ChatService,
        store: Runs,
        tools: ToolBox,
        permits: Permits | None = None,
        *,
        at_once: int,
        max_tokens: int,
    ):
        super().__init__(store)
        self._permits = permits
        self._service, self._store, self._tools = service, store, tools
        self._gate = asyncio.Semaphore(at_once)
        self._max_tokens = max_tokens

    async def take_over(self) -> None:
        """Go on with runs that nobody works on any more."""
        for whole in await asyncio.to_thread(self._store.claim, self.worker, LEASE_S):
            self._begin(AssistantRun(whole, await self._lasting(whole.run, Grant())))

    async def add(
        self, stored: StoredRun, messages: Sequence[Body], grant: Grant, thread: Body | None
    ) -> AssistantRun:
        """Keep a new run and begin to work on it; raises RunActive, NotFound."""
        self.check_open()
        events = RunState(WholeRun(stored)).created(thread)
        grant = await self._lasting(stored, grant)
        await asyncio.to_thread(self._store.add, stored, messages, events, self.worker, LEASE_S)
        return self._begin(AssistantRun(WholeRun(stored, next_number=len(events)), grant, events))

    async def go_on(self, whole: WholeRun, outputs: Mapping[str, str], grant: Grant) -> AssistantRun | None:
        """Give a run what its caller's functions gave; None when it does not wait for that any more."""
        self.check_open()
        grant = await self._lasting(whole.run, grant)
        state = RunState(whole)
        progress = state.take(state.answered(outputs))
        moved = await asyncio.to_thread(
            self._store.move, progress, ("requires_action",), self.worker, LEASE_S
        )
        if not moved:
            return None
        run = replace(whole.run, body=state.body)
        now = WholeRun(run, tuple(state.steps), whole.messages, state.next_number)
        return self._begin(AssistantRun(now, grant, progress.events))

    def ended_early(self, run: AssistantRun) -> None:
        """Write down the end of one that was cancelled before its task had begun."""
        if not run.ends:
            run.end(RunState.cancel)
            self.journal.note(run, urgent=True)

    def cancel(self, run: AssistantRun) -> None:
        """End a run of this process."""
        run.change(RunState.cancelling)
        self.journal.note(run, urgent=True)
        run.cancel()

    async def _lasting(self, run: StoredRun, grant: Grant) -> Grant:
        """Return what was kept for a run, or else what its call had."""
        kept = None if self._permits is None else await self._permits.opened(run)
        return grant if kept is None else Grant(kept)

    def _begin(self, run: AssistantRun) -> AssistantRun:
        return self.launch(run.id, run, self._write(run))

    async def _write(self, run: AssistantRun) -> None:
        left_s = run.stored.expires_at - time.time()
        try:
            async with asyncio.timeout(max(0.0, left_s)) as limit, self._gate:
                await self._steps(run)
        except asyncio.CancelledError:
            if not run.cancelled:  # the service stops: it goes on at the next start
                raise
            run.end(RunState.cancel)
        except ServiceError as error:
            run.end(_failing(error))
        except Exception as error:
            if isinstance(error, TimeoutError) and limit.expired():
                run.end(RunState.expire)
            else:
                log.exception("run not completed")
                run.end(_failing(InternalError("Something broke while the run was worked on. Run it again.")))
        if run.id in self.runs:
            self.journal.note(run, urgent=True)

    async def _settle(self, run: AssistantRun) -> None:
        self.journal.note(run, urgent=True)
        await run.settled()

    async def _steps(self, run: AssistantRun) -> None:
        if run.stored.attempts > MAX_ATTEMPTS:
            raise InternalError(
                f"The run was interrupted {MAX_ATTEMPTS} times and is given up. Run it again."
            )
        run.change(RunState.begun)
        await self._settle(run)
        if self._searches_first(run):
            query = str(run.state.body["_question"])
            first = {**search_call(new_id("call"), query), "_first": True}
            run.change(lambda state: state.call([first], None))
            await self._settle(run)
        for _ in range(MAX_TURNS):
            step = run.state.open_step
            if step is None or step["type"] != "tool_calls":
                if await self._turn(run):
                    return
                continue
            if await self._calls(run, step["step_details"]["tool_calls"]):
                run.end(RunState.ask_caller)
                return
            run.change(lambda state: state.step_done(None))
            await self._settle(run)
        raise InternalError(
            f"The model called tools {MAX_TURNS} times without an answer. Ask for less at once."
        )

    def _searches_first(self, run: AssistantRun) -> bool:
        """Small models seldom ask for a search: a run begins with one for what its user wrote last."""
        body = run.state.body
        wanted = any(tool["type"] == "file_search" for tool in body["tools"])
        choice = body["tool_choice"]
        free = choice in ("auto", "required") or choice == {"type": "file_search"}
        return (
            wanted and free and not run.state.steps and bool(body["_vector_store_ids"] and body["_question"])
        )

    async def _calls(self, run: AssistantRun, calls: Sequence[Body]) -> bool:
        """Make the calls of ours that are not made yet; True when the caller has to make others."""
        waits = False
        for index, call in enumerate(calls):
            if call["type"] == "function":
                waits = waits or call["function"]["output"] is None
                continue
            if "_told" in call:
                continue
            if call["type"] == "code_interpreter" and call.get("_begun"):
                outcome = interrupted()
            else:
                run.change(lambda state, index=index: state.begin_call(index))  # type: ignore[misc]
                await self._settle(run)
                outcome = await self._tools.make(run, call)
            run.change(lambda state, index=index, outcome=outcome: state.called(index, *outcome))  # type: ignore[misc]
            await self._settle(run)
        return waits

    async def _turn(self, run: AssistantRun) -> bool:
        """Let the model write once; True when the run has ended with it."""
        earlier = (run.state.open_message or {}).get("_tokens", 0)
        ask, retelling = self._ask(run, earlier)
        if ask.sampling.max_tokens < 1:
            run.end(lambda state: state.incomplete("max_completion_tokens", None))
            return True
        sentence = computed(run.state.body, run.state.steps) if ask.json_schema is None else None
        written = run.state.written
        if sentence is not None and sentence.startswith(written):
            run.write(sentence[len(written) :], new_pictures(run.state.steps))
            return self._completed(run, sentence, None)
        prepared = await self._within(run, await self._service.prepare(ask, run.stored.owner))
        if prepared is None:
            run.end(lambda state: state.incomplete("max_prompt_tokens", None))
            return True
        before = run.state.written
        answer = await self._patiently(run, prepared, retelling)
        usage = whole_usage(answer.usage, earlier)
        calls = answer.calls()
        if answer.reason == "length":
            run.end(lambda state: state.incomplete("max_completion_tokens", usage))
            return True
        if calls:
            made = step_calls(calls, run.state.body["tools"])
            run.change(lambda state: state.message_done(None))
            run.change(lambda state: state.call(made, usage))
            await self._settle(run)
            return False
        whole = answer.text if retelling else before + answer.text
        return self._completed(run, whole, usage, bound=ask.json_schema is not None)

    def _completed(self, run: AssistantRun, text: str, usage: Usage | None, *, bound: bool = False) -> bool:
        self._conclude(run, text, bound=bound)
        run.change(lambda state: state.message_done(usage))
        run.end(RunState.completed)
        return True

    def _conclude(self, run: AssistantRun, text: str, *, bound: bool) -> None:
        """Say where the text comes from; one that is JSON of a schema stays as it is."""
        steps = run.state.steps
        addition, annotations = cited(text, sources(steps), made_files(steps))
        if bound and addition:
            addition, annotations = "", [a for a in annotations if a["end_index"] <= len(text)]
        run.write(addition, new_pictures(steps))  # an empty answer is a message as well
        run.change(lambda state: state.annotate(annotations))

    def _ask(self, run: AssistantRun, earlier: int) -> tuple[Ask, Retelling | None]:
        """Return what the model is asked next, and what of its answer was told already."""
        state, base = run.state, from_json(run.stored.request)
        limit = state.body["max_completion_tokens"]
        used = (state.body.get("_usage") or {}).get("completion_tokens", 0)
        left = self._max_tokens if limit is None else min(self._max_tokens, limit - used)
        retelling = None
        if base.json_schema is not None and state.written:
            retelling, earlier = Retelling(state.written, ()), 0
        called = any(step["type"] == "tool_calls" for step in state.steps)
        choice = base.tool_choice
        if called and choice not in (None, "auto", "none"):
            choice = "auto"  # a tool that must be called was called
        ask = replace(
            base,
            messages=(
                *with_passages(base.messages, state.steps),
                *own_turns(state.steps, state.messages),
            ),
            tool_choice=choice,
            written="" if retelling else state.written,
            sampling=replace(base.sampling, max_tokens=left - earlier),
        )
        return ask, retelling

    async def _within(self, run: AssistantRun, prepared: Prepared) -> Prepared | None:
        """Leave out the oldest turns until the prompt is within the run's limit; None when that cannot be."""
        limit = run.state.body["max_prompt_tokens"]
        if limit is None:
            return prepared
        left = limit - (run.state.body.get("_usage") or {}).get("prompt_tokens", 0)
        while (tokens := await self._tokens(prepared)) > left:
            messages = prepared.request.messages
            shorter = shortened(messages, tokens, left, 0) if _may_drop(run) else None
            if shorter is None:
                return None
            prepared = replace(prepared, request=replace(prepared.request, messages=shorter))
        return prepared

    async def _tokens(self, prepared: Prepared) -> int:
        """Return how many tokens the model reads; they stay in its memory for the answer."""
        request = prepared.request
        sampling = replace(request.sampling, max_tokens=1)
        bare = replace(request, sampling=sampling, json_schema=None, repetition=None, answer_prefix="")
        try:
            return (await self._service.answer(replace(prepared, request=bare))).usage.prompt_tokens
        except ContextTooLong as error:
            return error.tokens

    async def _patiently(
        self, run: AssistantRun, prepared: Prepared, retelling: Retelling | None
    ) -> Gathering:
        """Write the answer; try again while the model is busy or loads, and with fewer turns if they are too many."""
        while True:
            answer = Gathering()
            try:
                await self._generate(run, prepared, retelling, answer)
                return answer
            except ContextTooLong as error:
                request = prepared.request
                shorter = (
                    shortened(request.messages, error.tokens, error.limit, request.sampling.max_tokens)
                    if _may_drop(run)
                    else None
                )
                if shorter is None:
                    raise
                prepared = replace(prepared, request=replace(request, messages=shorter))
            except (TooBusy, NotReady) as error:
                if error.retry_after_s is None or isinstance(error, Interrupted) or answer.text:
                    raise
                await asyncio.sleep(_RETRY_S)  # the run's own time limits this

    async def _generate(
        self, run: AssistantRun, prepared: Prepared, retelling: Retelling | None, answer: Gathering
    ) -> None:
        pictures = new_pictures(run.state.steps)
        held, first = "", run.state.open_message is None
        async with aclosing(self._service.events(prepared)) as deltas:
            async for delta in deltas:
                answer.add(delta)
                text = retelling.rest(delta).text if retelling else delta.text
                if not text:
                    continue
                held += text
                if first and held.isspace():  # what stands before a call is no message
                    continue
                run.write(held, pictures)
                self.journal.note(run, urgent=first)
                held, first = "", False


def _failing(error: ServiceError) -> Any:
    return lambda state: state.fail(error)


def _may_drop(run: AssistantRun) -> bool:
    return bool(run.state.body["truncation_strategy"]["type"] == "auto")
