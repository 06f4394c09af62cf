"""Threads, runs and assistants that are refused after a vector store was made for them: it goes again."""

from __future__ import annotations

from typing import Any

import openai
import pytest

from servicekit.errors import NotReady
from svc_chat.engine.fake import FakeEngine

from .assisting import Make, official
from .test_run_tools import Search

USER, TOOLS = {"role": "user", "content": "x"}, [{"type": "file_search"}]


@pytest.fixture
def search() -> Search:
    return Search()


@pytest.fixture
def client(make_client: Make, search: Search) -> Any:
    return official(make_client(FakeEngine("ok"), tools=(search, None)))


@pytest.fixture
def file_id(client: Any) -> str:
    made: str = client.files.create(file=("a.txt", b"text"), purpose="assistants").id
    return made


def wanted(file_id: str) -> dict[str, Any]:
    return {"file_search": {"vector_stores": [{"file_ids": [file_id]}]}}


def attached(file_id: str) -> dict[str, Any]:
    return {**USER, "attachments": [{"file_id": file_id, "tools": TOOLS}]}


def test_a_thread_with_a_picture_that_is_not_there_leaves_no_store(
    client: Any, search: Search, file_id: str
) -> None:
    picture = {"role": "user", "content": [{"type": "image_file", "image_file": {"file_id": "file-0"}}]}
    with pytest.raises(openai.NotFoundError, match="file-0"):
        client.beta.threads.create(messages=[picture], tool_resources=wanted(file_id))
    with pytest.raises(openai.NotFoundError, match="file-0"):
        client.beta.threads.create(messages=[attached("file-0")], tool_resources=wanted(file_id))
    assert search.deleted == ["vs_1", "vs_2"] and len(search.made) == 2


def test_a_run_that_is_refused_leaves_neither_its_thread_nor_what_was_made_for_it(
    client: Any, search: Search, file_id: str
) -> None:
    assistant = client.beta.assistants.create(model="gpt-4o", tools=TOOLS)
    for thread in (
        {"messages": [attached(file_id)]},
        {"messages": [USER], "tool_resources": wanted(file_id)},
    ):
        with pytest.raises(openai.NotFoundError, match="no-such-model"):
            client.beta.threads.create_and_run(
                assistant_id=assistant.id, model="no-such-model", thread=thread
            )
    assert search.deleted == ["vs_1", "vs_2"] and len(search.made) == 2
    assert client.get("/threads", cast_to=object)["data"] == []


def test_a_refusal_is_told_also_where_the_store_cannot_be_removed(
    client: Any, search: Search, file_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(store_id: str, bearer: Any) -> None:
        raise NotReady("away")

    monkeypatch.setattr(search, "delete_store", away)
    with pytest.raises(openai.NotFoundError, match="file-0"):
        client.beta.threads.create(messages=[attached("file-0")], tool_resources=wanted(file_id))


def test_what_is_kept_keeps_its_store(client: Any, search: Search, file_id: str) -> None:
    assistant = client.beta.assistants.create(model="gpt-4o", tools=TOOLS, tool_resources=wanted(file_id))
    thread = client.beta.threads.create(messages=[attached(file_id)])
    client.beta.threads.create_and_run_poll(
        assistant_id=assistant.id, thread={"messages": [attached(file_id)]}
    )
    client.beta.threads.update(thread.id, tool_resources=wanted(file_id))
    assert len(search.made) == 4 and search.deleted == []
