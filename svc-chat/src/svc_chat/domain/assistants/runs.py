"""Runs: asked for, followed, given what functions gave, ended. Everything is looked for among the owner's own."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from servicekit.errors import BadRequest
from servicekit.uninterrupted import uninterrupted
from svc_chat.domain.ask_json import to_json
from svc_chat.domain.assistants.filenames import told_apart
from svc_chat.domain.assistants.objects import new_message, new_run, text_of
from svc_chat.domain.assistants.permits import FIELD as PERMIT
from svc_chat.domain.assistants.permits import Permits
from svc_chat.domain.assistants.pictures import picture_files, picture_urls
from svc_chat.domain.assistants.prompt import model_choice, model_tools, system, thread_turns
from svc_chat.domain.assistants.service import ThreadService
from svc_chat.domain.assistants.state import RunState
from svc_chat.domain.assistants.tables import read_files
from svc_chat.domain.assistants.work import AssistantRun, Grant
from svc_chat.domain.assistants.writer import RunWriter
from svc_chat.domain.files import FileService
from svc_chat.domain.schemas import wanted_schema
from svc_chat.domain.service import Ask, ChatService
from svc_chat.engine.base import Sampling
from svc_chat.engine.history import Event, Listing, Page
from svc_chat.engine.threads import ACTIVE, WORKING, Assistants, Body, Runs, StoredRun, Threads, WholeRun
from svc_chat.engine.tools_base import Bearer
from svc_chat.errors import RunActive, TooManyRuns

_POLL_S = 0.25
"""Between two looks at a run that another process works on."""
_SPARE_S = 60.0
"""How much longer than a run its permission holds: clocks differ."""
CODE_TEMPERATURE = 0.0
"""Of a run that may run code, unless it or its assistant says another: code is right or wrong, and is tried once."""
_SEARCH = "Find passages in the user's files."


@dataclass(frozen=True)
class NewRun:
    """What a caller wants. `fields` are those of the run that it chose; what is missing is the assistant's."""

    assistant_id: str
    fields: Mapping[str, Any]
    additional_instructions: str | None = None
    messages: tuple[Mapping[str, Any], ...] = ()
    """Messages that the thread gets first."""
    thread: tuple[Mapping[str, Any], tuple[Mapping[str, Any], ...]] | None = None
    """Fields and first messages of a thread that is made for the run."""
    tool_resources: Mapping[str, Any] | None = None
    bearer: Bearer = field(default_factory=dict)


@dataclass(frozen=True)
class RunLimits:
    """How long runs may take, and how many of one owner may be active."""

    life_s: float = 600.0
    active_max: int = 32
    retention_s: float = 0.0
    """Seconds without use after which threads are removed; 0 keeps them."""


class RunService:
    """Makes runs and gives them back; all calls raise NotFound."""

    def __init__(
        self,
        chat: ChatService,
        writer: RunWriter,
        stores: tuple[Runs, Threads, Assistants],
        threads: ThreadService,
        files: FileService,
        limits: RunLimits,
        permits: Permits | None = None,
    ):
        self._chat, self._writer, self._threads_api = chat, writer, threads
        self._runs, self._threads, self._assistants = stores
        self._files, self._limits, self._permits = files, limits, permits

    async def create(self, new: NewRun, owner: str, thread_id: str) -> AssistantRun:
        """Begin a run on a thread that is there; raises RunActive, TooManyRuns, what is wrong with the request."""
        await asyncio.to_thread(self.expire)
        assistant = await asyncio.to_thread(self._assistants.get, owner, new.assistant_id)
        await self._admit(owner)
        await self._check_free(owner, thread_id)
        adding = self._threads_api.adding(owner, thread_id, new.messages, new.bearer)
        async with adding as (thread, extra, made):
            before = [*await asyncio.to_thread(self._threads.all_messages, owner, thread_id), *extra]
            stored = await self._stored(new, owner, assistant, thread, before)
            return await made.keep(self._writer.add(stored, extra, Grant(new.bearer), None))

    async def create_with_thread(self, new: NewRun, owner: str) -> AssistantRun:
        """Begin a run on a thread that is made for it."""
        assistant = await asyncio.to_thread(self._assistants.get, owner, new.assistant_id)
        await self._admit(owner)
        fields, messages = new.thread or ({}, ())
        async with self._threads_api.begun(owner, fields, messages, new.bearer) as (thread, made):
            extra = [new_message(thread["id"], message) for message in new.messages]
            before = [*await asyncio.to_thread(self._threads.all_messages, owner, thread["id"]), *extra]
            stored = await self._stored(new, owner, assistant, thread, before)
            return await made.keep(self._writer.add(stored, extra, Grant(new.bearer), thread))

    async def get(self, owner: str, thread_id: str, run_id: str) -> Body:
        """Return a run as far as it is told."""
        await asyncio.to_thread(self.expire)
        return (await asyncio.to_thread(self._runs.get, owner, thread_id, run_id)).body

    async def list(self, owner: str, thread_id: str, page: Page) -> Listing[Body]:
        """List a thread's runs by when they were made."""
        await asyncio.to_thread(self.expire)
        return await asyncio.to_thread(self._runs.list, owner, thread_id, page)

    async def change(self, owner: str, thread_id: str, run_id: str, metadata: Mapping[str, str]) -> Body:
        """Replace the metadata."""
        return await asyncio.to_thread(self._runs.change, owner, thread_id, run_id, metadata)

    async def steps(self, owner: str, thread_id: str, run_id: str, page: Page) -> Listing[Body]:
        """List a run's steps by their place."""
        await asyncio.to_thread(self._runs.get, owner, thread_id, run_id)
        return await asyncio.to_thread(self._runs.steps, run_id, page)

    async def step(self, owner: str, thread_id: str, run_id: str, step_id: str) -> Body:
        """Return one step."""
        await asyncio.to_thread(self._runs.get, owner, thread_id, run_id)
        return await asyncio.to_thread(self._runs.step, run_id, step_id)

    async def submit(
        self, owner: str, thread_id: str, run_id: str, outputs: Mapping[str, str], bearer: Bearer
    ) -> AssistantRun:
        """Give a run what its functions gave; raises BadRequest when it does not wait for just that."""
        await asyncio.to_thread(self.expire)
        stored = await asyncio.to_thread(self._runs.get, owner, thread_id, run_id)
        if stored.status != "requires_action":
            raise BadRequest(f'Runs in status "{stored.status}" do not accept tool outputs.')
        action = stored.body["required_action"]["submit_tool_outputs"]["tool_calls"]
        wanted = [call["id"] for call in action]
        if set(wanted) != set(outputs):
            raise BadRequest(
                f"Expected tool outputs for call_ids {wanted}, got {list(outputs)[:128]}.",
                param="tool_outputs",
            )
        whole = await asyncio.to_thread(self._runs.whole, run_id)
        run = None
        if whole.run.status == "requires_action":
            run = await uninterrupted(self._writer.go_on(whole, outputs, Grant(bearer)))
        if run is None:
            raise BadRequest("The run does not wait for tool outputs any more. GET it to see its status.")
        return run

    async def cancel(self, owner: str, thread_id: str, run_id: str) -> Body:
        """End a run; one that has ended is a 400, as OpenAI has it."""
        stored = await asyncio.to_thread(self._runs.get, owner, thread_id, run_id)
        if stored.status not in ACTIVE:
            raise BadRequest(f"Cannot cancel run with status '{stored.status}'.")
        run = self._writer.runs.get(run_id)
        if run is not None and not run.ends:
            self._writer.cancel(run)
            await run.settled()
        elif run is None:
            await self._end(await asyncio.to_thread(self._runs.whole, run_id), RunState.cancel, ACTIVE)
        else:
            await run.done.wait()
        return (await asyncio.to_thread(self._runs.get, owner, thread_id, run_id)).body

    async def end_in(self, owner: str, thread_id: str) -> None:
        """End the run that locks a thread, and wait for its end."""
        active = await asyncio.to_thread(self._threads.active, owner, thread_id)
        if active is None:
            return
        run = self._writer.runs.get(active)
        if run is None:
            await self._end(await asyncio.to_thread(self._runs.whole, active), RunState.cancel, ACTIVE)
            return
        if not run.ends:
            self._writer.cancel(run)
        await run.done.wait()

    async def follow(self, owner: str, thread_id: str, run_id: str, after: int = -1) -> AsyncIterator[Event]:
        """Give the events numbered above `after`, until the run has ended or waits for its caller."""
        await asyncio.to_thread(self._runs.get, owner, thread_id, run_id)
        while True:
            run = self._writer.runs.get(run_id)
            for event in await asyncio.to_thread(self._runs.events, run_id, after):
                after = event["sequence_number"]
                yield event
            if run is not None:
                async for event in run.read(after):
                    after = event["sequence_number"]
                    yield event
                return
            stored = await asyncio.to_thread(self._runs.get, owner, thread_id, run_id)
            if stored.status not in WORKING:
                for event in await asyncio.to_thread(self._runs.events, run_id, after):
                    yield event
                return
            await asyncio.sleep(_POLL_S)

    def sweep(self) -> None:
        """End runs that waited too long, and remove threads that nobody used for long. Blocks."""
        self.expire()
        if self._limits.retention_s:
            self._threads.sweep(time.time() - self._limits.retention_s)

    def expire(self) -> None:
        """End runs that waited too long for their callers, or for somebody to work on them. Blocks."""
        for whole in self._runs.overdue(time.time()):
            state = RunState(whole)
            if whole.run.id not in self._writer.runs:
                self._runs.move(state.take(state.expire()), (whole.run.status,))

    async def _end(self, whole: WholeRun, change: Any, expected: Sequence[str]) -> None:
        state = RunState(whole)
        if state.status in expected:
            await asyncio.to_thread(self._runs.move, state.take(change(state)), expected)

    async def _check_free(self, owner: str, thread_id: str) -> None:
        active = await asyncio.to_thread(self._threads.active, owner, thread_id)
        if active is not None:
            raise RunActive(thread_id, active)

    async def _admit(self, owner: str) -> None:
        active = await asyncio.to_thread(self._runs.count_active, owner)
        if active >= self._limits.active_max:
            raise TooManyRuns(active, self._limits.active_max)

    async def _stored(
        self, new: NewRun, owner: str, assistant: Body, thread: Body, before: Sequence[Body]
    ) -> StoredRun:
        """Return the run, with all that the model reads first: pictures are words from now on."""
        body = new_run(thread["id"], self._limits.life_s, _fields(new, assistant))
        files = await self._names(owner, _code_files(new, assistant, thread, before))
        last = body["truncation_strategy"]["last_messages"]
        read = list(before)[-last:] if last else before
        model = await self._chat.resolve(body["model"], owner, new.bearer)
        pictures = await picture_urls(self._files, owner, picture_files(read))
        sampling = Sampling(temperature=body["temperature"], top_p=body["top_p"], seed=random.getrandbits(31))
        asked = [text_of(message) for message in before if message["role"] == "user"]
        question = asked[-1][:2000] if asked else ""
        told = await read_files(self._files, owner, files, question if model.builtin else "")
        ask = Ask(
            messages=(
                *system(body["instructions"], new.additional_instructions, told.text),
                *told.linked(thread_turns(before, last, lambda file_id: pictures[file_id])),
            ),
            model=body["model"],
            tools=model_tools(_offered(body, model.builtin), _python(files), _SEARCH),
            tool_choice=model_choice(body["tool_choice"]),
            json_schema=_schema(body["response_format"]),
            sampling=sampling,
            parallel_tool_calls=body["parallel_tool_calls"],
            bearer=new.bearer,
            tables=told.tables if model.builtin else (),
        )
        prepared = await self._chat.prepare(ask, owner)
        body |= {
            "_vector_store_ids": _stores(new, assistant, thread),
            "_files": list(files),
            "_builtin": model.builtin,
            "_question": question,
        }
        if self._permits is not None and _acts(body):
            life_s = self._limits.life_s + _SPARE_S
            body[PERMIT] = await self._permits.sealed(body["id"], new.bearer, life_s)
        ask = replace(ask, messages=prepared.request.messages, model=prepared.model.id)
        now = time.time()
        return StoredRun(
            body["id"], owner, thread["id"], body, to_json(ask), 1, now, now + self._limits.life_s
        )

    async def _names(self, owner: str, file_ids: Sequence[str]) -> dict[str, str]:
        return told_apart(
            {id_: (await self._files.get(owner, id_)).filename for id_ in dict.fromkeys(file_ids)}
        )


def _fields(new: NewRun, assistant: Body) -> dict[str, Any]:
    """Return the fields of a run: what its caller chose, or the assistant's, or what is usual."""
    usual = Sampling()
    kept = {name: value for name, value in new.fields.items() if value is not None}
    own = {name: assistant[name] for name in ("model", "instructions", "tools", "response_format")}
    sampling = {name: assistant[name] for name in ("temperature", "top_p") if assistant[name] is not None}
    tools = kept["tools"] if "tools" in kept else assistant["tools"]
    writes_code = any(tool["type"] == "code_interpreter" for tool in tools)
    return {
        "assistant_id": assistant["id"],
        "temperature": CODE_TEMPERATURE if writes_code else usual.temperature,
        "top_p": usual.top_p,
        "max_prompt_tokens": None,
        "max_completion_tokens": None,
        "truncation_strategy": {"type": "auto", "last_messages": None},
        "tool_choice": "auto",
        "parallel_tool_calls": True,
        **own,
        **sampling,
        **kept,
        "instructions": kept.get("instructions", assistant["instructions"]) or "",
    }


def _offered(body: Body, builtin: bool) -> list[Body]:
    """Return the tools that a model is offered: the built-in one reads passages, and never asks for them."""
    forced = body["tool_choice"] in ("required", {"type": "file_search"})
    return [tool for tool in body["tools"] if tool["type"] != "file_search" or not builtin or forced]


def _acts(body: Body) -> bool:
    """Tell whether a run may ask other services in its caller's name."""
    return any(tool["type"] in ("file_search", "code_interpreter") for tool in body["tools"])


def _schema(response_format: Any) -> Mapping[str, Any] | None:
    return None if response_format in (None, "auto") else wanted_schema(response_format)


def _resources(new: NewRun, assistant: Body, thread: Body) -> list[Mapping[str, Any]]:
    return [new.tool_resources or assistant["tool_resources"], thread["tool_resources"]]


def _stores(new: NewRun, assistant: Body, thread: Body) -> list[str]:
    found = [
        id_
        for resources in _resources(new, assistant, thread)
        for id_ in resources.get("file_search", {}).get("vector_store_ids", ())
    ]
    return list(dict.fromkeys(found))


def _code_files(new: NewRun, assistant: Body, thread: Body, messages: Sequence[Body]) -> list[str]:
    found = [
        id_
        for resources in _resources(new, assistant, thread)
        for id_ in resources.get("code_interpreter", {}).get("file_ids", ())
    ]
    attached = [
        a["file_id"]
        for message in messages
        for a in message["attachments"]
        if any(tool["type"] == "code_interpreter" for tool in a["tools"])
    ]
    return [*found, *attached]


def _python(files: Mapping[str, str]) -> str:
    """Return how the function is described that runs code."""
    told = "Run Python code and get what it prints. Variables stay from call to call."
    if files:
        names = ", ".join(f"/mnt/data/{name}" for name in list(files.values())[:20])
        told += f" Files: {names}."
    return f"{told} Save charts and files that you make in /mnt/data."
