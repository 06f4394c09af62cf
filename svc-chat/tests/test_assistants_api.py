"""OpenAI's Assistants and threads with the official client and its types."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from openai import NotFoundError
from openai.types.beta import Assistant, Thread
from openai.types.beta.threads import Message

from svc_chat.engine.database import open_database, writing
from svc_chat.engine.store_threads import SqlThreads
from svc_chat.engine.tables import THREADS

from .assisting import WEATHER, assert_exact, official, said


@pytest.fixture
def beta(client: TestClient) -> Any:
    return official(client).beta


def test_an_assistant_is_kept_listed_changed_and_gone(client: TestClient, beta: Any) -> None:
    made = beta.assistants.create(
        model="gpt-4o", name="Ana", instructions="Be brief.", tools=[{"type": "code_interpreter"}, WEATHER],
        metadata={"a": "b"}, temperature=0.2, response_format={"type": "json_object"},
    )  # fmt: skip
    assert beta.assistants.retrieve(made.id) == made
    assert_exact(Assistant, client.get(f"/v1/assistants/{made.id}").json())
    changed = beta.assistants.update(made.id, name="Rui", metadata={}, tools=[])
    assert (changed.name, changed.metadata, changed.tools) == ("Rui", {}, [])
    assert (changed.instructions, changed.temperature) == ("Be brief.", 0.2)
    others = [beta.assistants.create(model="gpt-4o", name=str(n)).id for n in range(4)]
    assert [a.id for a in beta.assistants.list(limit=2)] == [*others[::-1], made.id]
    assert [a.id for a in beta.assistants.list(order="asc", after=others[0]).data] == others[1:]
    page = beta.assistants.list(limit=2, before=others[0])
    assert ([a.id for a in page.data], page.has_more) == ([others[2], others[1]], True)
    assert beta.assistants.delete(made.id).deleted
    with pytest.raises(NotFoundError):
        beta.assistants.retrieve(made.id)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "model"),
        ({"model": "nobody's"}, "model"),
        ({"model": "gpt-4o", "tools": [{"type": "web"}]}, "tools.0.type"),
        ({"model": "gpt-4o", "tools": [{"type": "function"}]}, "tools.0"),
        ({"model": "gpt-4o", "tools": [WEATHER, WEATHER]}, "tools"),
        ({"model": "gpt-4o", "metadata": {"a": "x" * 513}}, "metadata.a"),
        ({"model": "gpt-4o", "temperature": 3}, "temperature"),
        ({"model": "gpt-4o", "response_format": {"type": "poem"}}, "response_format"),
        ({"model": "gpt-4o", "reasoning_effort": "high"}, "reasoning_effort"),
        ({"model": "gpt-4o", "tool_resources": {"code_interpreter": {"file_ids": ["file-0"]}}}, "file_id"),
    ],
)
def test_what_is_wrong_with_an_assistant_is_named(client: TestClient, body: dict, param: str) -> None:
    answer = client.post("/v1/assistants", json=body)
    assert answer.status_code in (400, 404), answer.text
    assert answer.json()["error"]["param"] == param


def test_version_1_s_file_ids_are_taken(client: TestClient) -> None:
    file = official(client).files.create(file=("a.csv", b"a,b"), purpose="assistants")
    body = {"model": "gpt-4o", "tools": [{"type": "code_interpreter"}], "file_ids": [file.id]}
    made = client.post("/v1/assistants", json=body, headers={"OpenAI-Beta": "assistants=v1"}).json()
    assert made["file_ids"] == [file.id]
    assert made["tool_resources"] == {"code_interpreter": {"file_ids": [file.id]}}


def test_a_thread_keeps_its_messages(client: TestClient, beta: Any) -> None:
    thread = beta.threads.create(messages=[{"role": "user", "content": "one"}], metadata={"k": "v"})
    assert_exact(Thread, client.get(f"/v1/threads/{thread.id}").json())
    two = beta.threads.messages.create(thread.id, role="assistant", content="two")
    three = beta.threads.messages.create(
        thread.id, role="user", content=[{"type": "text", "text": "thr"}, {"type": "text", "text": "ee"}]
    )
    assert said(beta, thread.id) == ["one", "two", "three"]
    assert_exact(Message, client.get(f"/v1/threads/{thread.id}/messages/{three.id}").json())
    changed = beta.threads.messages.update(two.id, thread_id=thread.id, metadata={"seen": "yes"})
    assert (changed.metadata, changed.content) == ({"seen": "yes"}, two.content)
    newest = beta.threads.messages.list(thread.id, limit=1)
    assert (newest.data[0].id, newest.has_more) == (three.id, True)
    assert [m.id for m in newest] == [three.id, two.id, newest.data[0].id][:2] + [
        m.id for m in beta.threads.messages.list(thread.id, order="asc", limit=1).data
    ]
    assert beta.threads.messages.delete(two.id, thread_id=thread.id).deleted
    assert said(beta, thread.id) == ["one", "three"]
    assert beta.threads.update(thread.id, metadata={"k": "w"}).metadata == {"k": "w"}
    assert beta.threads.delete(thread.id).deleted
    with pytest.raises(NotFoundError):
        beta.threads.messages.list(thread.id)


def test_threads_that_nobody_uses_are_removed_after_a_while(
    client: TestClient, beta: Any, tmp_path: Path
) -> None:
    used, unused = (beta.threads.create(messages=[{"role": "user", "content": c}]) for c in ("a", "b"))
    database = open_database(f"sqlite:///{tmp_path}/service.db")
    with writing(database) as connection:
        connection.execute(THREADS.update().where(THREADS.c.id == unused.id).values(used_at=1.0))
    assert SqlThreads(database).sweep(2.0) == 1
    assert beta.threads.retrieve(used.id).id == used.id
    with pytest.raises(NotFoundError):
        beta.threads.retrieve(unused.id)


def test_threads_are_listed_to_their_owner_newest_first(client: TestClient, beta: Any) -> None:
    ids = [beta.threads.create(metadata={"title": str(n)}).id for n in range(3)]
    rows = client.get("/v1/threads", params={"limit": 2}).json()
    assert ([row["id"] for row in rows["data"]], rows["has_more"]) == ([ids[2], ids[1]], True)
    assert rows["data"][0]["metadata"] == {"title": "2"}
    more = client.get("/v1/threads", params={"after": ids[1]}).json()
    assert [row["id"] for row in more["data"]] == [ids[0]]
    assert client.get("/v1/threads", params={"after": "thread_none"}).status_code in (400, 404)
