"""What is kept of conversations and answers, in SQLite and, where its server is installed, in PostgreSQL."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import MetaData, create_engine, event, inspect, text
from sqlalchemy.engine import Engine as Database

from servicekit.errors import BadRequest, NewerDatabase, NotFound
from svc_chat.engine import store_responses
from svc_chat.engine.base import Persona
from svc_chat.engine.database import open_database, writing
from svc_chat.engine.history import Conversation, Page, Progress, StoredResponse
from svc_chat.engine.records import SqlRecords
from svc_chat.engine.store_conversations import SqlConversations
from svc_chat.engine.store_responses import SqlResponses
from svc_chat.engine.tables import METADATA, PERSONAS, TRAINING
from svc_chat.errors import ConversationLocked, HistoryAway

SECRET = "quem lê isto depois"


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    opened = open_database(url)
    yield opened
    opened.dispose()


@pytest.fixture
def conversations(database: Database) -> SqlConversations:
    return SqlConversations(database)


@pytest.fixture
def responses(database: Database) -> SqlResponses:
    return SqlResponses(database)


def item(item_id: str, said: str = "oi") -> dict[str, Any]:
    """Return a user's message."""
    return {
        "id": item_id,
        "type": "message",
        "role": "user",
        "content": [{"type": "input_text", "text": said}],
    }


def begin(conversations: SqlConversations, conversation_id: str = "conv_1", **fields: Any) -> None:
    """Keep an empty conversation of Ana's."""
    fields.setdefault("created_at", time.time())
    conversations.add("ana", Conversation(conversation_id, **fields), [])


def response(response_id: str = "resp_1", **fields: Any) -> StoredResponse:
    """Return a response of Ana's that is being written."""
    given = {"owner": "ana", "status": "in_progress", "body": {"id": response_id}, "request": {}}
    return StoredResponse(response_id, **{**given, "created_at": time.time(), **fields})  # type: ignore[arg-type]


def numbered(first: int, last: int) -> list[dict[str, Any]]:
    """Return events."""
    return [{"sequence_number": number, "type": "x"} for number in range(first, last + 1)]


def test_the_tables_are_as_the_code_says(database: Database) -> None:
    found = MetaData()
    found.reflect(database)
    assert {*METADATA.tables, "svc_chat_version"} == {*found.tables}
    for name, table in METADATA.tables.items():
        there = found.tables[name]
        assert {c.name: c.nullable for c in there.c} == {c.name: c.nullable for c in table.c}, name
        assert {i.name for i in there.indexes} == {i.name for i in table.indexes}, name
        assert {k.parent.name: k.ondelete for k in there.foreign_keys} == {
            k.parent.name: k.ondelete for k in table.foreign_keys
        }


def test_a_database_from_before_migrations_is_taken_over(url: str) -> None:
    old = create_engine(url)
    METADATA.create_all(old, tables=[PERSONAS, TRAINING])
    SqlRecords(old).add_persona("ana", Persona("Rui"))
    old.dispose()
    for _ in range(2):
        database = open_database(url)
        assert [persona.name for persona in SqlRecords(database).personas("ana")] == ["Rui"]
        assert "responses" in inspect(database).get_table_names()
        database.dispose()


def test_a_database_of_a_newer_program_is_refused_and_not_touched(url: str) -> None:
    open_database(url).dispose()
    newer = create_engine(url)
    with newer.begin() as connection:
        connection.execute(text("UPDATE svc_chat_version SET version_num = '9999'"))
    with pytest.raises(NewerDatabase, match="svc-chat are of version 9999.*make rollback"):
        open_database(url)
    with newer.connect() as connection:
        assert connection.execute(text("SELECT version_num FROM svc_chat_version")).scalar_one() == "9999"
    newer.dispose()


def test_several_processes_may_start_at_once(url: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        for database in pool.map(open_database, [url] * 4):
            assert "responses" in inspect(database).get_table_names()
            database.dispose()


def test_a_conversation_has_one_response_at_a_time_however_many_ask_at_once(
    conversations: SqlConversations, responses: SqlResponses
) -> None:
    begin(conversations)

    def ask(number: int) -> bool:
        there = conversations.all_items("ana", "conv_1")
        until = there[-1]["id"] if there else None
        said = (item(f"msg_{number}"),)
        asked = response(f"resp_{number}", conversation_id="conv_1", input=said, read_until=until)
        try:
            responses.add(asked, numbered(0, 1), "w", 30)
        except ConversationLocked:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(ask, range(8))) == 1
    assert len(conversations.all_items("ana", "conv_1")) == 1
    running = conversations.get("ana", "conv_1").running
    assert running is not None
    responses.keep("w", 30, [Progress(running, status="completed", output=(item("msg_out"),))])
    assert conversations.get("ana", "conv_1").running is None
    assert ask(9)


def test_who_did_not_read_the_last_item_asks_again(
    conversations: SqlConversations, responses: SqlResponses
) -> None:
    begin(conversations)
    conversations.add_items("ana", "conv_1", [item("msg_1"), item("msg_2")])
    with pytest.raises(ConversationLocked):
        responses.add(response(conversation_id="conv_1", read_until="msg_1"), [], "w", 30)
    responses.add(response(conversation_id="conv_1", read_until="msg_2"), [], "w", 30)


def test_text_and_ids_with_odd_characters_are_kept_or_refused(
    conversations: SqlConversations, responses: SqlResponses
) -> None:
    begin(conversations, metadata={"title": "a\0b"})
    odd = "a\0b \u202e \U0001f600 \"'%;--"
    conversations.add_items("ana", "conv_1", [item("msg_1", odd)])
    assert conversations.item("ana", "conv_1", "msg_1")["content"] == item("msg_1", odd)["content"]
    assert conversations.get("ana", "conv_1").first_text == odd.replace("\0", "")
    for unknown in ("resp_\0", "'; DROP TABLE responses; --", "é" * 500):
        with pytest.raises((NotFound, BadRequest)):
            responses.get("ana", unknown)


def test_items_get_places_one_after_the_other_from_many_threads(conversations: SqlConversations) -> None:
    begin(conversations)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: conversations.add_items("ana", "conv_1", [item(f"msg_{n}")]), range(24)))
    assert len(conversations.all_items("ana", "conv_1")) == 24


def test_events_are_read_from_any_number_on(responses: SqlResponses) -> None:
    responses.add(response(), numbered(0, 2), "w", 30)
    responses.keep("w", 30, [Progress("resp_1", tuple(numbered(3, 7)), written=5)])
    for after in range(-1, 9):
        numbers = [event["sequence_number"] for event in responses.events("resp_1", after)]
        assert numbers == list(range(after + 1, 8))
    assert responses.get("ana", "resp_1").written == 5


def test_who_ended_or_lost_a_response_writes_no_more(responses: SqlResponses) -> None:
    for number in range(3):
        responses.add(response(f"resp_{number}"), [], "w", 30)
    responses.cancel("ana", "resp_1")
    responses.delete("ana", "resp_2")
    progress = [Progress(f"resp_{n}", tuple(numbered(0, 0))) for n in range(3)]
    assert set(responses.keep("w", 30, progress)) == {"resp_1", "resp_2"}
    assert set(responses.keep("stranger", 30, progress)) == {"resp_0", "resp_1", "resp_2"}
    assert responses.events("resp_1", -1) == []


def test_unfinished_responses_without_a_lease_are_claimed(responses: SqlResponses) -> None:
    responses.add(response("resp_1"), [], "dead", -1)
    responses.add(response("resp_2", status="queued"), [], "dead", -1)
    responses.add(response("resp_3", status="completed"), [], "dead", -1)
    assert [(r.id, r.attempts) for r in responses.claim("w", 30)] == [("resp_1", 2), ("resp_2", 2)]
    assert responses.claim("w", 30) == []
    assert set(responses.keep("dead", 30, [Progress("resp_1")])) == {"resp_1"}


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_of_many_who_claim_one_gets_each_response(responses: SqlResponses) -> None:
    for number in range(6):
        responses.add(response(f"resp_{number}"), [], "dead", -1)
    with ThreadPoolExecutor(4) as pool:
        claimed = [
            r.id for found in pool.map(lambda n: responses.claim(f"w{n}", 30), range(4)) for r in found
        ]
    assert sorted(claimed) == [f"resp_{number}" for number in range(6)]


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_a_renewed_lease_keeps_others_away_from_a_server_s_database(responses: SqlResponses) -> None:
    responses.add(response("resp_1"), [], "w1", -1)
    responses.keep("w1", 30, [Progress("resp_1")])
    assert responses.claim("w2", 30) == []


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_of_a_file_whoever_starts_takes_all(responses: SqlResponses) -> None:
    responses.add(response("resp_1"), [], "w1", 30)
    assert [r.id for r in responses.claim("w2", 30)] == ["resp_1"]


def test_a_chain_is_read_oldest_first_and_has_an_end(
    responses: SqlResponses, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        previous = f"resp_{number - 1}" if number else None
        responses.add(response(f"resp_{number}", previous_id=previous, status="completed"), [], "w", 30)
    assert [r.id for r in responses.chain("ana", "resp_4")] == [f"resp_{n}" for n in range(5)]
    monkeypatch.setattr(store_responses, "CHAIN_MAX", 3)
    with pytest.raises(BadRequest):
        responses.chain("ana", "resp_4")


def test_withdrawing_takes_the_input_back(conversations: SqlConversations, responses: SqlResponses) -> None:
    begin(conversations)
    responses.add(response(conversation_id="conv_1", input=(item("msg_1"),)), numbered(0, 0), "w", 30)
    responses.withdraw("resp_1")
    assert conversations.all_items("ana", "conv_1") == []
    assert conversations.get("ana", "conv_1").first_text == ""
    with pytest.raises(NotFound):
        responses.get("ana", "resp_1")


def test_what_was_not_used_for_long_is_swept(
    conversations: SqlConversations, responses: SqlResponses
) -> None:
    old = time.time() - 1000
    begin(conversations, "conv_old", created_at=old)
    begin(conversations, "conv_used", created_at=old)
    conversations.add_items("ana", "conv_used", [item("msg_1")])
    responses.add(response("resp_old", created_at=old, status="completed"), numbered(0, 3), "w", 30)
    responses.add(response("resp_running", created_at=old), [], "w", 30)
    responses.add(response("resp_new", status="completed"), [], "w", 30)
    assert responses.sweep(time.time() - 500) == 2
    assert [c.id for c in conversations.list("ana", Page()).rows] == ["conv_used"]
    assert responses.get("ana", "resp_running") and responses.get("ana", "resp_new")
    assert responses.events("resp_old", -1) == []


def test_the_title_is_what_is_first_now(conversations: SqlConversations) -> None:
    begin(conversations)
    conversations.add_items("ana", "conv_1", [item("msg_1", "um"), item("msg_2", "dois")])
    assert conversations.get("ana", "conv_1").first_text == "um"
    conversations.delete_item("ana", "conv_1", "msg_1")
    assert conversations.get("ana", "conv_1").first_text == "dois"


@pytest.mark.parametrize("how", ["conversation", "response", "item", "sweep"])
def test_deleted_text_is_in_no_file_any_more(tmp_path: Path, how: str) -> None:
    database = open_database(f"sqlite:///{tmp_path}/service.db")
    conversations, responses = SqlConversations(database), SqlResponses(database)
    said = f"{SECRET} " * 300
    begin(conversations)
    if how == "response":
        event = {"sequence_number": 0, "delta": said}
        asked = response(body={"text": said}, request={"text": said}, input=(item("msg_1", said),))
        responses.add(asked, [event], "w", 30)
        responses.keep("w", 30, [Progress("resp_1", ({"sequence_number": 1, "delta": said},), "completed")])
    else:
        conversations.add_items("ana", "conv_1", [item("msg_1", said)])
    written = SECRET.encode("ascii", "backslashreplace").replace(b"\\xea", b"\\u00ea")
    assert any(written in path.read_bytes() for path in tmp_path.iterdir())
    forget: dict[str, Callable[[], object]] = {
        "conversation": lambda: conversations.delete("ana", "conv_1"),
        "response": lambda: responses.delete("ana", "resp_1"),
        "item": lambda: conversations.delete_item("ana", "conv_1", "msg_1"),
        "sweep": lambda: responses.sweep(time.time() + 1),
    }
    forget[how]()
    for path in tmp_path.iterdir():
        assert written not in path.read_bytes(), path.name
        assert SECRET.encode() not in path.read_bytes(), path.name
    database.dispose()


def test_pieces_do_not_wait_for_the_disk_but_beginnings_and_ends_do(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path}/service.db")
    waited: list[int] = []

    @event.listens_for(database, "commit")
    def note(connection: Any) -> None:
        waited.append(connection.exec_driver_sql("PRAGMA synchronous").scalar())

    responses = SqlResponses(database)
    responses.add(response(), numbered(0, 0), "w", 30)
    responses.keep("w", 30, [Progress("resp_1", tuple(numbered(1, 1)))])
    responses.keep("w", 30, [Progress("resp_1", tuple(numbered(2, 2)), "completed", {})])
    full, normal = 2, 1
    assert waited == [full, normal, full]
    database.dispose()


def test_a_database_that_fails_is_a_503(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path}/service.db")
    with pytest.raises(HistoryAway), writing(database) as connection:
        connection.execute(text("SELECT * FROM no_such_table"))
    database.dispose()
