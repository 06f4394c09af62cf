"""`/v1/conversations`, asked by the official client: items, pages, titles, other people's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import openai
import pytest
from fastapi.testclient import TestClient
from openai import OpenAI

from servicekit.contract import TestKeys, assert_error
from svc_chat.app import create_app
from svc_chat.engine.fake import FakeEngine
from svc_chat.settings import Settings

Make = Callable[..., TestClient]
HELLO: Any = {"role": "user", "content": "Olá,   mundo"}


@pytest.fixture
def ai(client: TestClient) -> OpenAI:
    """Return the official client of the app in this thread."""
    return OpenAI(base_url="http://testserver/v1", api_key="x", http_client=client, max_retries=0)  # type: ignore[arg-type]


def test_a_conversation_is_made_changed_and_deleted(ai: OpenAI) -> None:
    made = ai.conversations.create(metadata={"a": "b"}, items=[HELLO])
    assert (made.object, made.metadata) == ("conversation", {"a": "b"})
    assert ai.conversations.update(made.id, metadata={"c": "d"}).metadata == {"c": "d"}
    assert ai.conversations.retrieve(made.id).metadata == {"c": "d"}
    assert ai.conversations.delete(made.id).deleted is True
    with pytest.raises(openai.NotFoundError):
        ai.conversations.retrieve(made.id)


def test_responses_read_and_extend_it(client: TestClient, ai: OpenAI) -> None:
    made = ai.conversations.create(items=[{"role": "system", "content": "Be brief."}])
    ai.responses.create(model="gpt-4o", input="one", conversation=made.id)
    second = ai.responses.create(model="gpt-4o", input="two", conversation={"id": made.id})
    assert second.conversation is not None
    assert second.conversation.id == made.id
    said = [item.content[0].text for item in ai.conversations.items.list(made.id, order="asc")]  # type: ignore[union-attr]
    assert said == ["Be brief.", "one", "echo: one", "two", "echo: two"]


def test_listed_items_name_the_response_that_they_belong_to(client: TestClient, ai: OpenAI) -> None:
    made = ai.conversations.create(items=[HELLO])
    answer = ai.responses.create(model="gpt-4o", input="one", conversation=made.id)
    rows = client.get(f"/v1/conversations/{made.id}/items", params={"order": "asc"}).json()["data"]
    assert [row["response_id"] for row in rows] == [None, answer.id, answer.id]
    one = client.get(f"/v1/conversations/{made.id}/items/{rows[2]['id']}").json()
    assert one["response_id"] == answer.id


def test_items_are_added_read_and_removed_one_by_one(ai: OpenAI) -> None:
    made = ai.conversations.create()
    added = ai.conversations.items.create(made.id, items=[HELLO, {"role": "assistant", "content": "Oi"}])
    ids = [item.id for item in added.data]
    assert (added.first_id, added.last_id) == (ids[0], ids[1])
    one = ai.conversations.items.retrieve(ids[0], conversation_id=made.id)
    assert (one.type, one.role, one.content[0].type) == ("message", "user", "input_text")  # type: ignore[union-attr]
    assert ai.conversations.items.delete(ids[0], conversation_id=made.id).id == made.id
    assert [item.id for item in ai.conversations.items.list(made.id)] == [ids[1]]
    with pytest.raises(openai.NotFoundError):
        ai.conversations.items.retrieve(ids[0], conversation_id=made.id)


def test_items_come_in_pages_both_ways(ai: OpenAI) -> None:
    items: list[Any] = [{"role": "user", "content": str(number)} for number in range(7)]
    made = ai.conversations.create(items=items)
    for order, expected in (("asc", "0123456"), ("desc", "6543210")):
        listed = ai.conversations.items.list(made.id, limit=3, order=order)  # type: ignore[arg-type]
        assert len(listed.data) == 3
        assert "".join(item.content[0].text for item in listed) == expected  # type: ignore[union-attr]


def test_conversations_are_listed_newest_first_with_titles(client: TestClient, ai: OpenAI) -> None:
    ids = [ai.conversations.create(items=[HELLO]).id for _ in range(3)]
    named = ai.conversations.create(metadata={"title": "Férias"}, items=[HELLO]).id
    ai.conversations.items.create(ids[0], items=[HELLO])
    first = client.get("/v1/conversations?limit=3").json()
    assert [row["id"] for row in first["data"]] == [ids[0], named, ids[2]]
    assert [row["title"] for row in first["data"]] == ["Olá, mundo", "Férias", "Olá, mundo"]
    assert first["has_more"] is True
    rest = client.get(f"/v1/conversations?limit=3&after={first['last_id']}").json()
    assert [row["id"] for row in rest["data"]] == [ids[1]]
    assert rest["has_more"] is False


def test_the_same_item_may_stand_in_two_conversations(ai: OpenAI) -> None:
    answer = ai.responses.create(model="gpt-4o", input="x").output[0].to_dict()
    for _ in range(2):
        made = ai.conversations.create(items=[answer])  # type: ignore[list-item]
        assert ai.conversations.items.list(made.id).data[0].content[0].text == "echo: x"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("", {"metadata": {"a": 1}}, "invalid_request"),
        ("", {"metadata": {str(n): "x" for n in range(17)}}, "invalid_request"),
        ("", {"items": [HELLO] * 21}, "invalid_value"),
        ("", {"items": [{"type": "reasoning"}]}, "invalid_value"),
        ("", [], "invalid_request"),
        ("/{id}", {}, "invalid_request"),
        ("/{id}/items", {"items": []}, "invalid_request"),
        ("/{id}/items", {}, "invalid_request"),
        ("/conv_x/items", {"items": [HELLO]}, "not_found"),
    ],
)
def test_wrong_input_is_a_clear_4xx(client: TestClient, ai: OpenAI, path: str, body: Any, code: str) -> None:
    made = ai.conversations.create()
    answer = client.post(f"/v1/conversations{path.replace('{id}', made.id)}", json=body)
    assert_error(answer, code)


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "order=up", "after=msg_x", "include=all"])
def test_a_wrong_page_is_a_clear_4xx(client: TestClient, ai: OpenAI, query: str) -> None:
    made = ai.conversations.create()
    answer = client.get(f"/v1/conversations/{made.id}/items?{query}")
    assert 400 <= answer.status_code < 500
    assert_error(answer)


def test_nothing_of_anothers_is_seen_or_touched(tmp_path: Path) -> None:
    keys = TestKeys()
    settings = Settings(data_dir=tmp_path, allowed_hosts=("testserver",))
    with TestClient(create_app(settings, FakeEngine(), keys.authenticator(settings))) as client:
        mine, theirs = keys.headers("ana"), keys.headers("rui")
        conversation = client.post("/v1/conversations", json={"items": [HELLO]}, headers=mine).json()["id"]
        body = {"input": "x", "conversation": conversation}
        response = client.post("/v1/responses", json=body, headers=mine).json()["id"]
        item = client.get(f"/v1/conversations/{conversation}/items", headers=mine).json()["first_id"]
        one, many = f"/v1/conversations/{conversation}", f"/v1/conversations/{conversation}/items"
        calls: list[tuple[str, str, Any]] = [
            ("GET", one, None),
            ("POST", one, {"metadata": {}}),
            ("DELETE", one, None),
            ("GET", many, None),
            ("POST", many, {"items": [HELLO]}),
            ("GET", f"{many}/{item}", None),
            ("DELETE", f"{many}/{item}", None),
            ("GET", f"/v1/conversations?after={conversation}", None),
            ("GET", f"/v1/responses/{response}", None),
            ("GET", f"/v1/responses/{response}?stream=true", None),
            ("GET", f"/v1/responses/{response}/input_items", None),
            ("POST", f"/v1/responses/{response}/cancel", None),
            ("DELETE", f"/v1/responses/{response}", None),
            ("POST", "/v1/responses", {"input": "x", "previous_response_id": response}),
            ("POST", "/v1/responses", body),
        ]
        for method, path, sent in calls:
            answer = client.request(method, path, json=sent, headers=theirs)
            assert answer.status_code == 404, (method, path, answer.text)
            assert_error(answer, "not_found")
        assert client.get("/v1/conversations", headers=theirs).json()["data"] == []
        assert len(client.get(many, headers=mine).json()["data"]) == 3
        assert client.get(f"/v1/responses/{response}", headers=mine).status_code == 200
