"""Answers that were interrupted are taken up again: what was told stays true, each is written once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from servicekit.errors import NotFound
from servicekit.health import Readiness
from svc_chat.build import LocalAndRemote, build_engine
from svc_chat.domain import journal
from svc_chat.domain.responses import NewResponse
from svc_chat.domain.run import Run
from svc_chat.domain.service import Ask, ChatService
from svc_chat.domain.writer import MAX_ATTEMPTS
from svc_chat.engine.base import Delta, GenerationRequest, Sampling
from svc_chat.engine.database import open_database, writing
from svc_chat.engine.fake import FakeEngine
from svc_chat.engine.history import Event, Page, Progress
from svc_chat.engine.records import SqlRecords
from svc_chat.engine.store_responses import SqlResponses
from svc_chat.engine.tables import EVENTS, RESPONSES
from svc_chat.errors import HistoryAway
from svc_chat.history import build_history
from svc_chat.settings import Settings

WORDS = " ".join(f"w{n}" for n in range(40))
HALF = 20
"""Words after which a process of a test writes no more: it is ended in the middle, however long that takes."""
OTHER = " ".join(f"o{n}" for n in range(40))
CALL = 'Look. <tool_call>\n{"name": "note", "arguments": {"text": "' + WORDS + '"}}\n</tool_call>'
NOTE = {"type": "function", "function": {"name": "note", "parameters": {"type": "object"}}}
TEXT, ARGUMENTS = "response.output_text.delta", "response.function_call_arguments.delta"


class Process:
    """What a process of the service does with its history; it can die without a word."""

    def __init__(self, folder: Path, engine: Any, **settings: Any):
        chosen = Settings(data_dir=folder, **settings)
        self.engine = engine
        self.database = open_database(chosen.sql_url)
        service = ChatService(engine, SqlRecords(self.database), aliases={}, default="", max_tokens=2048)
        self.history = build_history(service, self.database, chosen)
        self.responses = self.history.responses

    async def start(self) -> Process:
        """Begin to work, with what is unfinished."""
        await self.history.writer.start()
        return self

    async def die(self) -> None:
        """End every task where it stands; nothing more is written down."""
        writer = self.history.writer
        tasks = [task for task in (*writer._tasks, writer._journaling) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.database.dispose()

    async def ended(self, response_id: str) -> Any:
        """Return a response when it has ended."""
        events = [event async for event in self.responses.follow("ana", response_id)]
        return events[-1]["response"]


@pytest.fixture
async def processes(tmp_path: Path) -> AsyncIterator[Any]:
    """Return a function that starts one process after the other on the same data."""
    started: list[Process] = []

    async def start(engine: Any, **settings: Any) -> Process:
        if started:
            await started[-1].die()
        started.append(await Process(tmp_path, engine, **settings).start())
        return started[-1]

    yield start
    await started[-1].die()


def new(text: str = "x", *, ask: Ask | None = None, **changes: Any) -> NewResponse:
    """Return what a caller asks for."""
    message = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
    ask = ask or Ask(sampling=Sampling())
    return replace(NewResponse((message,), ask, {"truncation": "disabled"}), **changes)


async def begun(process: Process, wanted: NewResponse, kind: str = TEXT) -> list[Event]:
    """Ask, and return what is told until it says the tenth word."""
    told: list[Event] = []
    run = await process.responses.create(wanted, "ana")
    async for event in run.read():
        told.append(event)
        if said(told, kind).count(" ") >= 10:
            break
    return told


async def rest(process: Process, told: Sequence[Event]) -> list[Event]:
    """Return what is told after `told`; its numbers go on."""
    after = told[-1]["sequence_number"]
    events = [e async for e in process.responses.follow("ana", told[0]["response"]["id"], after)]
    assert [e["sequence_number"] for e in events] == list(range(after + 1, after + 1 + len(events)))
    return events


def said(events: Sequence[Event], kind: str = TEXT) -> str:
    """Return what the deltas of one kind say together."""
    return "".join(event["delta"] for event in events if event["type"] == kind)


async def test_it_stands_in_its_conversation_once(processes: Any) -> None:
    process = await processes(FakeEngine(WORDS, holds_after=HALF))
    conversation = await process.history.conversations.create("ana", {}, [])
    told = await begun(process, new(conversation_id=conversation.id))
    process = await processes(FakeEngine(WORDS))
    await rest(process, told)
    items = (await process.history.conversations.items("ana", conversation.id, Page())).rows
    assert [item["role"] for item in items] == ["assistant", "user"]
    assert items[0]["content"][0]["text"] == WORDS
    assert process.engine.requests[0].answer_prefix.startswith(said(told))


async def test_the_caller_s_limit_counts_both_parts(processes: Any) -> None:
    limited = new(ask=Ask(sampling=Sampling(max_tokens=30)))
    process = await processes(FakeEngine(WORDS, holds_after=HALF))
    told = await begun(process, limited)
    process = await processes(FakeEngine(WORDS, delay_s=0.01))
    last = (await rest(process, told))[-1]
    assert last["type"] == "response.incomplete"
    assert 30 <= last["response"]["usage"]["output_tokens"] <= 40


async def test_one_bound_by_a_schema_is_written_again_and_not_told_twice(processes: Any) -> None:
    text = json.dumps({"words": WORDS})
    bound = new(ask=Ask(json_schema={"type": "object"}))
    process = await processes(FakeEngine(text, holds_after=HALF))
    told = await begun(process, bound)
    first = process.engine.requests[0]
    process = await processes(FakeEngine(text))
    more = await rest(process, told)
    assert more[-1]["response"]["status"] == "completed"
    assert said(told) + said(more) == text
    again = process.engine.requests[0]
    assert (again.answer_prefix, again.sampling.seed) == ("", first.sampling.seed)
    assert first.sampling.seed is not None


async def test_a_second_writing_that_differs_is_an_error_and_contradicts_nothing(processes: Any) -> None:
    process = await processes(FakeEngine(json.dumps({"words": WORDS}), holds_after=HALF))
    told = await begun(process, new(ask=Ask(json_schema={"type": "object"})))
    process = await processes(FakeEngine(json.dumps({"words": OTHER})))
    last = (await rest(process, told))[-1]
    assert last["type"] == "response.failed"
    assert last["response"]["error"]["type"] == "answer_interrupted"
    assert last["response"]["output"][0]["content"][0]["text"].startswith(said(told))


async def test_a_call_in_the_middle_of_its_arguments_becomes_whole(processes: Any) -> None:
    process = await processes(FakeEngine(CALL, holds_after=len(CALL.split(" "))))
    told = await begun(process, new(ask=Ask(tools=(NOTE,))), ARGUMENTS)
    process = await processes(FakeEngine(CALL))
    more = await rest(process, told)
    message, call = more[-1]["response"]["output"]
    assert message["content"][0]["text"].strip() == "Look."
    assert call["arguments"] == said(told, ARGUMENTS) + said(more, ARGUMENTS)
    assert json.loads(call["arguments"]) == {"text": WORDS}
    ids = {event["item_id"] for event in [*told, *more] if event["type"] == ARGUMENTS}
    assert ids == {call["id"]}


async def test_queued_answers_keep_their_place(processes: Any) -> None:
    process = await processes(FakeEngine(WORDS, holds_after=HALF), background_running=1)
    runs = [await process.responses.create(new(background=True), "ana") for _ in range(3)]
    process = await processes(FakeEngine(WORDS))
    for run in runs:
        ended = await process.ended(run.id)
        assert ended["output"][0]["content"][0]["text"] == WORDS


async def test_one_that_is_interrupted_each_time_is_given_up(processes: Any) -> None:
    process = await processes(FakeEngine(WORDS, delay_s=30))
    run = await process.responses.create(new(background=True), "ana")
    for _ in range(MAX_ATTEMPTS):
        process = await processes(FakeEngine(WORDS, delay_s=30))
    ended = await process.ended(run.id)
    assert ended["status"] == "failed"
    assert f"{MAX_ATTEMPTS} times" in ended["error"]["message"]


async def test_one_that_now_fills_the_context_ends_with_what_there_is(processes: Any) -> None:
    process = await processes(FakeEngine(WORDS, holds_after=HALF))
    told = await begun(process, new())
    process = await processes(FakeEngine(WORDS, context_tokens=1))
    last = (await rest(process, told))[-1]
    assert last["response"]["incomplete_details"] == {"reason": "max_output_tokens"}


class Bold(FakeEngine):
    """Writes faster than anything is written down."""

    async def generate(self, request: GenerationRequest) -> AsyncIterator[Delta]:
        yield Delta("first")
        for number in range(1000):
            await asyncio.sleep(0)
            yield Delta(f" {number}")
        await asyncio.sleep(60)


async def test_nothing_is_told_before_it_is_written_down(processes: Any) -> None:
    process = await processes(Bold())
    run = await process.responses.create(new(), "ana")
    told: list[Event] = []
    async for event in run.read():
        told.append(event)
        kept = await asyncio.to_thread(process.history.store.events, run.id, -1)
        assert kept[: len(told)] == told
        if said(told).endswith("999"):
            break
    assert len(told) < 200  # a few dozen, of 1000 words


async def test_another_process_can_end_what_this_one_writes(processes: Any, tmp_path: Path) -> None:
    process = await processes(FakeEngine(WORDS, holds_after=HALF))
    run = await process.responses.create(new(), "ana")
    other = Process(tmp_path, FakeEngine())
    assert (await other.responses.cancel("ana", run.id))["status"] == "cancelled"
    await asyncio.wait_for(run.done.wait(), 60)
    assert process.engine.running == 0
    assert (await process.responses.get("ana", run.id))["status"] == "cancelled"
    other.database.dispose()


async def test_another_process_can_follow_what_this_one_writes(processes: Any, tmp_path: Path) -> None:
    process = await processes(FakeEngine(WORDS, holds_after=HALF))
    run = await process.responses.create(new(), "ana")
    other = Process(tmp_path, FakeEngine())
    part = await other.responses.get("ana", run.id)
    assert part["status"] == "in_progress"
    process.engine.holds_after = None
    events = [event async for event in other.responses.follow("ana", run.id)]
    assert events == run.told
    assert said(events) == WORDS
    other.database.dispose()


async def test_a_database_that_is_away_delays_answers_and_loses_none(
    processes: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "RETRY_S", 0.01)
    process = await processes(FakeEngine(WORDS, delay_s=0.01))
    keep, away = SqlResponses.keep, [HistoryAway() for _ in range(3)]
    problems = []

    def failing(self: SqlResponses, *given: Any) -> Any:
        problems.append(process.history.writer.journal.problem)
        if away:
            raise away.pop()
        return keep(self, *given)

    monkeypatch.setattr(SqlResponses, "keep", failing)
    run = await process.responses.create(new(), "ana")
    ended = await process.ended(run.id)
    assert ended["output"][0]["content"][0]["text"] == WORDS
    assert problems[1:4] == [HistoryAway().message] * 3
    assert process.history.writer.journal.problem is None


async def test_an_answer_that_cannot_be_written_does_not_stop_the_others(
    processes: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = await processes(FakeEngine(WORDS, delay_s=0.01))
    keep = SqlResponses.keep
    bad: list[str] = []

    def failing(self: SqlResponses, worker: str, lease_s: float, progress: Sequence[Progress]) -> Any:
        if any(step.response_id in bad for step in progress):
            raise ZeroDivisionError
        return keep(self, worker, lease_s, progress)

    monkeypatch.setattr(SqlResponses, "keep", failing)
    broken = await process.responses.create(new(), "ana")
    bad.append(broken.id)
    good = await process.responses.create(new(), "ana")
    assert (await process.ended(good.id))["status"] == "completed"
    await asyncio.wait_for(broken.done.wait(), 60)
    assert process.engine.running == 0


async def test_one_that_cannot_be_read_any_more_ends_and_the_service_starts(
    processes: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = await processes(FakeEngine(WORDS, holds_after=HALF))
    told = await begun(process, new())
    with writing(process.database) as connection:
        connection.execute(
            EVENTS.update().values(events='[{"sequence_number": 0, "type": "response.created"}]')
        )
        connection.execute(
            EVENTS.update().where(EVENTS.c.first > 0).values(events='[{"sequence_number": "x"}]')
        )
    process = await processes(FakeEngine(WORDS))
    with writing(process.database) as connection:
        status = connection.execute(select(RESPONSES.c.status)).scalar()
    assert status == "cancelled"
    assert process.history.writer.runs == {}
    assert told


async def test_what_is_older_than_the_retention_is_removed(processes: Any, tmp_path: Path) -> None:
    process = await processes(FakeEngine("ok"))
    conversation = await process.history.conversations.create("ana", {}, [])
    run = await process.responses.create(new(), "ana")
    await asyncio.wait_for(run.done.wait(), 60)
    keeping = Process(tmp_path, FakeEngine(), history_retention_days=1.0)
    sweeping = Process(tmp_path, FakeEngine(), history_retention_days=1e-9)
    for other, there in ((keeping, True), (sweeping, False)):
        upkeep = await other.history.start(Readiness("svc-chat"))
        for _ in range(20 if there else 6000):
            rows = (await other.history.conversations.list("ana", Page())).rows
            if not there and not rows:
                break
            await asyncio.sleep(0.01)
        assert [row.id for row in rows] == ([conversation.id] if there else [])
        await other.history.close(upkeep)
        other.database.dispose()
    with pytest.raises(NotFound):
        await process.responses.get("ana", run.id)


async def test_one_can_be_ended_before_its_task_has_begun(processes: Any) -> None:
    process = await processes(FakeEngine(WORDS))
    run = await process.responses.create(new(background=True), "ana")
    again = Run(run.stored, run.told, patient=True)
    await asyncio.wait_for(run.done.wait(), 60)
    writer = process.history.writer
    writer._begin(again, None)
    again.cancel()
    await asyncio.wait_for(again.done.wait(), 60)


@pytest.fixture
async def model(tmp_path: Path) -> AsyncIterator[LocalAndRemote]:
    """Return the engine with the built-in model."""
    engine = build_engine(Settings(data_dir=tmp_path / "models", auth="off").prepared())  # type: ignore[arg-type]
    yield engine
    await engine.close()


@pytest.mark.model
@pytest.mark.parametrize("schema", [None, {"type": "object", "properties": {"text": {"type": "string"}}}])
async def test_the_built_in_model_goes_on_where_it_was(
    processes: Any, model: LocalAndRemote, schema: Any
) -> None:
    wanted = new("Hello!", ask=Ask(json_schema=schema, sampling=Sampling(max_tokens=200)))
    process = await processes(model)
    run = await process.responses.create(wanted, "ana")
    told: list[Event] = []
    async for event in run.read():
        told.append(event)
        if said(told):
            break
    process = await processes(model)
    more = await rest(process, told)
    response = more[-1]["response"]
    assert response["status"] in ("completed", "incomplete")
    text = response["output"][0]["content"][0]["text"]
    assert text == said(told) + said(more)
    assert response["usage"]["output_tokens"] <= 200
    if schema and response["status"] == "completed":
        assert isinstance(json.loads(text), dict)
