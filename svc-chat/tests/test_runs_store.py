"""What is kept of files, threads and runs, in SQLite and, where its server is installed, in PostgreSQL."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy.engine import Engine as Database

from servicekit.errors import NotFound
from svc_chat.domain.assistants.objects import new_message, new_run, new_thread
from svc_chat.domain.assistants.state import RunState
from svc_chat.engine.database import open_database
from svc_chat.engine.history import Page
from svc_chat.engine.kept_files import KeptFile
from svc_chat.engine.store_files import SqlFiles
from svc_chat.engine.store_runs import SqlRuns
from svc_chat.engine.store_threads import SqlThreads
from svc_chat.engine.threads import ACTIVE, RunProgress, StoredRun, WholeRun
from svc_chat.errors import FileQuotaReached, RunActive, ThreadLocked

from .assisting import WEATHER, Make, Turns, asked, call, official, said


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    opened = open_database(url)
    yield opened
    opened.dispose()


def message(thread: Any, text: str) -> Any:
    return new_message(thread["id"], {"role": "user", "content": [{"type": "text", "text": {"value": text}}]})


def kept_run(database: Database, life_s: float = 600.0) -> tuple[Any, StoredRun, list[Any]]:
    """Keep a thread with a run of worker `w` that has just begun."""
    threads, thread = SqlThreads(database), new_thread({})
    threads.add("ana", thread, [message(thread, "a\x00b")])
    body = new_run(thread["id"], life_s, {"assistant_id": "asst_1"})
    now = time.time()
    run = StoredRun(body["id"], "ana", thread["id"], body, {"a": 1}, 1, now, now + life_s)
    events = RunState(WholeRun(run)).created()
    SqlRuns(database).add(run, [], events, "w", 30.0)
    return thread, run, events


def test_a_run_is_written_down_step_by_step_and_read_back_whole(database: Database) -> None:
    runs = SqlRuns(database)
    thread, run, events = kept_run(database)
    state = RunState(replace(runs.whole(run.id)))
    assert state.next_number == len(events)
    told = [*state.begun(), *state.write("Hello")]
    assert runs.keep("w", 30.0, [state.take(told)]) == set()
    told = [*state.write(" there"), *state.message_done(None)]
    assert runs.keep("w", 30.0, [state.take(told)]) == set()
    whole = runs.whole(run.id)
    assert [m["content"][0]["text"]["value"] for m in whole.messages] == ["Hello there"]
    assert [s["status"] for s in whole.steps] == ["completed"]
    assert whole.next_number == state.next_number
    numbers = [event["sequence_number"] for event in runs.events(run.id, 1)]
    assert numbers == list(range(2, state.next_number))
    messages = SqlThreads(database).all_messages("ana", thread["id"])
    assert messages[0]["content"][0]["text"]["value"] == "a\x00b"
    assert len(messages) == 2


def test_a_thread_has_one_active_run_and_is_locked(database: Database) -> None:
    runs, threads = SqlRuns(database), SqlThreads(database)
    thread, run, _ = kept_run(database)
    other = replace(run, id="run_other", body={**run.body, "id": "run_other"})
    with pytest.raises(RunActive):
        runs.add(other, [], [], "w", 30.0)
    with pytest.raises(ThreadLocked):
        threads.add_message("ana", thread["id"], message(thread, "x"))
    assert threads.active("ana", thread["id"]) == run.id
    state = RunState(runs.whole(run.id))
    assert runs.move(state.take(state.cancel()), ACTIVE)
    assert not runs.move(RunProgress(run.id, body=state.body), ACTIVE)
    assert runs.keep("w", 30.0, [RunProgress(run.id)]) == {run.id}
    threads.add_message("ana", thread["id"], message(thread, "x"))
    runs.add(other, [], [], "w", 30.0)


def test_what_nobody_works_on_is_taken_over_once(database: Database) -> None:
    runs = SqlRuns(database)
    _, run, _ = kept_run(database)
    assert runs.claim("w", 30.0) == []
    runs.keep("w", -1.0, [RunProgress(run.id)])
    (claimed,) = runs.claim("v", 30.0)
    assert (claimed.run.id, claimed.run.attempts) == (run.id, 2)
    assert runs.keep("w", 30.0, [RunProgress(run.id)]) == {run.id}
    state = RunState(claimed)
    state.begun()
    runs.keep("v", -1.0, [state.take([*state.write("x"), *state.message_done(None)])])
    (again,) = runs.claim("u", 30.0)
    assert again.run.attempts == 2  # a step that ended resets the count


def test_what_has_expired_and_nobody_works_on_is_found(database: Database) -> None:
    runs = SqlRuns(database)
    _, run, _ = kept_run(database, life_s=-1.0)
    assert runs.overdue(time.time()) == []
    runs.keep("w", -1.0, [RunProgress(run.id)])
    assert [whole.run.id for whole in runs.overdue(time.time())] == [run.id]


def test_lists_are_read_in_both_directions(database: Database) -> None:
    threads, thread = SqlThreads(database), new_thread({})
    made = [message(thread, str(n)) for n in range(5)]
    threads.add("ana", thread, made)
    ids = [m["id"] for m in made]

    def listed(**page: Any) -> tuple[list[str], bool]:
        found = threads.messages("ana", thread["id"], Page(**page))
        return [m["id"] for m in found.rows], found.has_more

    assert listed(limit=2) == ([ids[4], ids[3]], True)
    assert listed(limit=2, after=ids[3]) == ([ids[2], ids[1]], True)
    assert listed(limit=2, before=ids[1]) == ([ids[3], ids[2]], True)
    assert listed(limit=9, before=ids[1]) == ([ids[4], ids[3], ids[2]], False)
    assert listed(limit=2, after=ids[0], newest_first=False) == ([ids[1], ids[2]], True)
    assert listed(limit=9, after=ids[4], before=ids[1]) == ([ids[3], ids[2]], False)
    with pytest.raises(NotFound):
        listed(after="msg_none")
    with pytest.raises(NotFound):
        threads.messages("rui", thread["id"], Page())


def test_files_are_kept_within_a_quota(database: Database) -> None:
    files = SqlFiles(database)
    now = time.time()
    first = KeptFile("file-1", "ana", "é.txt", "vision", 2**33, "00", now)
    files.add(first, 2**34)
    assert files.get("ana", "file-1") == first
    with pytest.raises(FileQuotaReached):
        files.add(replace(first, id="file-2"), 2**33)
    files.add(replace(first, id="file-3", bytes=1, created_at=now + 1, expires_at=now - 1), 2**34)
    assert [file.id for file in files.list("ana", Page(), None).rows] == ["file-1"]
    assert [file.id for file in files.expired()] == ["file-3"]
    assert files.known(["file-1", "file-9"]) == {"file-1"}
    files.delete("file-1")
    with pytest.raises(NotFound):
        files.get("ana", "file-1")


def test_a_whole_run_with_functions_on_either_database(url: str, make_client: Make) -> None:
    engine = Turns(call("weather", city="Recife"), "Sun.")
    beta = official(make_client(engine, database_url=url)).beta
    assistant, thread = asked(beta, tools=[WEATHER])
    run = beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
    (wanted,) = run.required_action.submit_tool_outputs.tool_calls
    run = beta.threads.runs.submit_tool_outputs_and_poll(
        run_id=run.id, thread_id=thread.id, tool_outputs=[{"tool_call_id": wanted.id, "output": "x"}]
    )
    assert (run.status, said(beta, thread.id)) == ("completed", ["hello there", "Sun."])
    beta.threads.delete(thread.id)
