"""`/v1/responses`, asked by the official client: shapes, events, context, wrong input."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import openai
import pytest
from fastapi.testclient import TestClient
from openai import OpenAI
from openai.types.responses import Response, ResponseStreamEvent

from servicekit.contract import assert_error
from svc_chat.engine.fake import FakeDescriber, FakeEngine

Make = Callable[..., TestClient]
WEATHER: dict[str, Any] = {
    "type": "function",
    "name": "weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
CALL = '<tool_call>\n{"name": "weather", "arguments": {"city": "Recife"}}\n</tool_call>'


def official(client: TestClient) -> OpenAI:
    """Return the official client of the app in this thread."""
    return OpenAI(base_url="http://testserver/v1", api_key="x", http_client=client, max_retries=0)  # type: ignore[arg-type]


@pytest.fixture
def ai(client: TestClient) -> OpenAI:
    return official(client)


def kinds(events: list[ResponseStreamEvent]) -> list[str]:
    """Return the types of events, repeated deltas as one."""
    names = [event.type for event in events]
    return [name for index, name in enumerate(names) if index == 0 or name != names[index - 1]]


def test_an_answer_is_given_and_kept(ai: OpenAI) -> None:
    made = ai.responses.create(model="gpt-4o", input="hello there", metadata={"a": "b"}, temperature=0.1)
    assert made.output_text == "echo: hello there"
    assert (made.status, made.model, made.metadata, made.temperature) == (
        "completed",
        "fake-chat",
        {"a": "b"},
        0.1,
    )
    assert made.usage is not None
    assert made.usage.total_tokens == made.usage.input_tokens + made.usage.output_tokens
    assert made.usage.input_tokens_details.cached_tokens == 0
    assert ai.responses.retrieve(made.id).to_dict() == made.to_dict()


def test_every_field_of_an_answer_is_as_the_official_types_say(client: TestClient) -> None:
    body = {
        "input": "hi",
        "tools": [WEATHER],
        "text": {"format": {"type": "text"}},
        "instructions": "Be brief.",
    }
    given = client.post("/v1/responses", json=body).json()
    read = Response.model_validate(given, strict=True)
    assert read.instructions == "Be brief."
    assert read.tools[0].type == "function"
    assert {"timing", "device"} <= given.keys()


def test_a_stream_has_the_typed_events_in_order(ai: OpenAI) -> None:
    events = list(ai.responses.create(model="gpt-4o", input="hello there", stream=True))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert kinds(events) == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    said = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert said == "echo: hello there"
    last = events[-1]
    assert last.type == "response.completed"
    assert last.response.output_text == said
    for event in events:
        type(event).model_validate(event.to_dict(), strict=True)


def test_the_clients_own_stream_helper_follows(ai: OpenAI) -> None:
    with ai.responses.stream(model="gpt-4o", input="hello there", tools=[]) as stream:
        assert stream.get_final_response().output_text == "echo: hello there"


def test_a_function_call_is_streamed_and_its_result_read(make_client: Make) -> None:
    engine = FakeEngine("Let me look. " + CALL)
    ai = official(make_client(engine))
    events = list(ai.responses.create(model="gpt-4o", input="weather?", tools=[WEATHER], stream=True))  # type: ignore[call-overload]

    assert kinds(events)[-6:] == [
        "response.output_item.done",
        "response.output_item.added",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "response.output_item.done",
        "response.completed",
    ]
    final = events[-1].response
    message, call = final.output
    assert message.content[0].text.strip() == "Let me look."
    assert (call.name, json.loads(call.arguments), call.status) == (
        "weather",
        {"city": "Recife"},
        "completed",
    )

    engine.script = "It rains."
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "rain"}
    after = ai.responses.create(
        model="gpt-4o", previous_response_id=final.id, input=[result], tools=[WEATHER], tool_choice="none"
    )
    assert after.output_text == "It rains."
    turns = engine.requests[-1].messages
    assert [turn.role for turn in turns] == ["user", "assistant", "tool"]
    assert turns[1].tool_calls[0]["function"]["name"] == "weather"
    assert (turns[2].content, turns[2].tool_call_id) == ("rain", call.call_id)


@pytest.mark.parametrize("choice", ["required", {"type": "function", "name": "weather"}])
def test_a_call_can_be_demanded(make_client: Make, choice: Any) -> None:
    engine = FakeEngine('{"name": "weather", "arguments": {"city": "Recife"}}')
    ai = official(make_client(engine))
    made = ai.responses.create(model="gpt-4o", input="x", tools=[WEATHER], tool_choice=choice)
    assert [item.type for item in made.output] == ["function_call"]
    assert engine.requests[0].json_schema is not None


def test_previous_responses_are_read_and_instructions_are_not_inherited(make_client: Make) -> None:
    engine = FakeEngine()
    ai = official(make_client(engine))
    first = ai.responses.create(model="gpt-4o", input="one", instructions="Be brief.")
    second = ai.responses.create(model="gpt-4o", input="two", previous_response_id=first.id)
    ai.responses.create(model="gpt-4o", input="three", previous_response_id=second.id, store=False)
    turns = [(turn.role, turn.content) for turn in engine.requests[-1].messages]
    assert turns == [
        ("user", "one"),
        ("assistant", "echo: one"),
        ("user", "two"),
        ("assistant", "echo: two"),
        ("user", "three"),
    ]


def test_items_of_all_kinds_are_read(make_client: Make) -> None:
    engine = FakeEngine("ok")
    items: list[Any] = [
        {"role": "developer", "content": "Be kind."},
        {"role": "user", "content": [{"type": "input_text", "text": "look"}]},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "I did"}]},
        {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": "{}"},
        {"type": "function_call", "call_id": "c2", "name": "weather", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "sun"},
        {"type": "function_call_output", "call_id": "c2", "output": [{"type": "input_text", "text": "rain"}]},
        {"role": "user", "content": "so?"},
    ]
    made = official(make_client(engine)).responses.create(model="gpt-4o", input=items)
    assert made.output_text == "ok"
    turns = engine.requests[0].messages
    assert [turn.role for turn in turns] == ["system", "user", "assistant", "tool", "tool", "user"]
    assert [call["id"] for call in turns[2].tool_calls] == ["c1", "c2"]


def test_the_input_is_listed_in_pages(ai: OpenAI) -> None:
    texts = ["a", "b", "c"]
    made = ai.responses.create(model="gpt-4o", input=[{"role": "user", "content": text} for text in texts])
    page = ai.responses.input_items.list(made.id, limit=2, order="asc")
    assert [item.content[0].text for item in page.data] == ["a", "b"]  # type: ignore[union-attr]
    assert page.has_more
    assert [item.content[0].text for item in ai.responses.input_items.list(made.id)] == ["c", "b", "a"]  # type: ignore[union-attr]


def test_max_output_tokens_makes_an_incomplete_answer(ai: OpenAI) -> None:
    events = list(ai.responses.create(model="gpt-4o", input="hello there", max_output_tokens=1, stream=True))
    last = events[-1]
    assert last.type == "response.incomplete"
    assert last.response.incomplete_details is not None
    assert last.response.incomplete_details.reason == "max_output_tokens"
    assert last.response.output_text == "echo:"


def test_a_schema_binds_the_text(make_client: Make) -> None:
    engine = FakeEngine('{"a": 1}')
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    config: Any = {"format": {"type": "json_schema", "name": "thing", "schema": schema}}
    made = official(make_client(engine)).responses.create(model="gpt-4o", input="x", text=config)
    assert json.loads(made.output_text) == {"a": 1}
    assert engine.requests[0].json_schema == schema


def test_logprobs_come_when_included(ai: OpenAI) -> None:
    made = ai.responses.create(
        model="gpt-4o", input="hi", include=["message.output_text.logprobs"], top_logprobs=1
    )
    part = made.output[0].content[0]  # type: ignore[union-attr]
    assert part.logprobs[0].logprob == -0.5  # type: ignore[union-attr]


def test_a_long_past_is_refused_or_its_oldest_turns_are_dropped_and_that_is_said(make_client: Make) -> None:
    engine = FakeEngine("ok", context_tokens=40)
    ai = official(make_client(engine))
    items: list[Any] = []
    for turn in range(6):
        items += [{"role": "user", "content": f"{turn} " + "w " * 9}, {"role": "assistant", "content": "yes"}]
    items.append({"role": "user", "content": "last"})
    with pytest.raises(openai.BadRequestError) as refused:
        ai.responses.create(model="gpt-4o", input=items)
    assert refused.value.code == "context_length_exceeded"
    assert refused.value.param == "input"
    for store in (True, False):
        made = ai.responses.create(model="gpt-4o", input=items, truncation="auto", store=store)
        assert made.status == "completed"
        assert made.to_dict()["dropped_messages"] == 13 - len(engine.requests[-1].messages)
        assert engine.requests[-1].messages[-1].content == "last"
        assert engine.requests[-1].messages[0].role == "user"


def test_what_is_not_stored_is_not_there_afterwards(ai: OpenAI) -> None:
    events = list(ai.responses.create(model="gpt-4o", input="hello there", store=False, stream=True))
    assert events[-1].type == "response.completed"
    assert events[-1].response.output_text == "echo: hello there"
    with pytest.raises(openai.NotFoundError):
        ai.responses.retrieve(events[-1].response.id)


def test_a_deleted_response_is_gone(ai: OpenAI) -> None:
    made = ai.responses.create(model="gpt-4o", input="hi")
    ai.responses.delete(made.id)
    with pytest.raises(openai.NotFoundError):
        ai.responses.retrieve(made.id)
    with pytest.raises(openai.NotFoundError):
        ai.responses.delete(made.id)


def test_tokens_are_counted_before_asking(ai: OpenAI) -> None:
    counted = ai.responses.input_tokens.count(model="gpt-4o", input="one two three")
    assert counted.input_tokens == 3


def test_a_persona_speaks(make_client: Make) -> None:
    engine = FakeEngine()
    client = make_client(engine)
    client.post("/v1/personas", json={"name": "Ana", "description": "calma"})
    official(client).responses.create(model="gpt-4o", input="oi", extra_body={"persona": "Ana"})
    assert "You are Ana." in engine.requests[0].messages[0].content


def test_pictures_are_told_in_words_to_a_model_that_reads_only(make_client: Make) -> None:
    engine = FakeEngine("ok")
    picture = {"type": "input_image", "image_url": "http://x/cat.png"}
    items: list[Any] = [{"role": "user", "content": [{"type": "input_text", "text": "what?"}, picture]}]
    ai = official(make_client(engine, FakeDescriber()))
    made = ai.responses.create(model="gpt-4o", input=items)
    assert "a picture called cat.png" in engine.requests[0].messages[0].content
    seen = {"url": "http://x/cat.png", "text": "a picture called cat.png", "model": "fake-eyes"}
    assert made.to_dict()["image_descriptions"] == [seen]
    kept = ai.responses.input_items.list(made.id).data[0]
    assert kept.content[1].image_url == "http://x/cat.png"  # type: ignore[union-attr]
    ai = official(make_client(engine))
    with pytest.raises(openai.BadRequestError) as refused:
        ai.responses.create(model="gpt-4o", input=items)
    assert refused.value.param == "input"


def test_top_k_reaches_the_model_though_openai_has_no_such_field(make_client: Make) -> None:
    engine = FakeEngine()
    official(make_client(engine)).responses.create(model="gpt-4o", input="oi", extra_body={"top_k": 7})
    assert engine.requests[0].sampling.top_k == 7


@pytest.mark.parametrize(
    ("change", "status", "code", "param"),
    [
        ({"input": None}, 400, "invalid_value", "input"),
        ({"input": ""}, 400, "invalid_value", "input"),
        ({"input": 5}, 400, "invalid_request", "input"),
        ({"input": ["x"]}, 400, "invalid_value", "input.0"),
        ({"input": [{"role": "king", "content": "x"}]}, 400, "invalid_request", "input.0.role"),
        ({"input": [{"role": "user"}]}, 400, "invalid_request", "input.0.content"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_file"}]}]},
            400,
            "invalid_value",
            "input.0.content.0",
        ),
        ({"input": [{"type": "input_image", "file_id": "x"}]}, 400, "invalid_value", "input.0.type"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}]},
            400,
            "invalid_value",
            "input.0.content.0.image_url",
        ),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, 400, "invalid_value", "input.0.type"),
        (
            {"input": [{"type": "function_call_output", "call_id": "c", "output": "x"}]},
            400,
            "invalid_value",
            "input",
        ),
        ({"input": "\ud800"}, 400, "invalid_request", None),
        ({"tools": [{"type": "web_search"}]}, 400, "invalid_value", "tools.0.type"),
        ({"tools": [{"type": "function"}]}, 400, "invalid_request", "tools.0.name"),
        ({"tool_choice": "required"}, 400, "invalid_value", "tool_choice"),
        ({"model": "nope"}, 404, "model_not_found", "model"),
        ({"persona": "nobody"}, 404, "not_found", "persona"),
        ({"previous_response_id": "resp_x"}, 404, "not_found", "previous_response_id"),
        ({"conversation": "conv_x"}, 404, "not_found", "conversation"),
        ({"conversation": "c", "previous_response_id": "r"}, 400, "invalid_value", "previous_response_id"),
        ({"background": True, "store": False}, 400, "invalid_value", "store"),
        ({"conversation": "c", "store": False}, 400, "invalid_value", "store"),
        ({"reasoning": {"effort": "high"}}, 400, "invalid_value", "reasoning.effort"),
        ({"include": ["everything"]}, 400, "invalid_value", "include"),
        ({"prompt": {"id": "p"}}, 400, "invalid_value", "prompt"),
        ({"text": {"format": {"type": "xml"}}}, 400, "invalid_value", "text.format"),
        ({"metadata": {"k" * 65: "v"}}, 400, "invalid_request", None),
        ({"temperature": 3}, 400, "invalid_request", "temperature"),
        ({"max_output_tokens": 0}, 400, "invalid_request", "max_output_tokens"),
    ],
)
def test_wrong_input_is_a_clear_4xx(
    client: TestClient, change: dict, status: int, code: str, param: str | None
) -> None:
    content = json.dumps({"input": "hi", **change})
    headers = {"Content-Type": "application/json"}
    for stream in (False, True):
        body = json.dumps({**json.loads(content), "stream": stream})
        answer = client.post("/v1/responses", content=body, headers=headers)
        assert answer.status_code == status, answer.text
        assert_error(answer, code)
        if param is not None:
            assert answer.json()["error"]["param"] == param


@pytest.mark.parametrize("call", ["", "/cancel", "/input_items"])
def test_an_unknown_response_is_a_404(client: TestClient, call: str) -> None:
    method = "POST" if call == "/cancel" else "GET"
    assert_error(client.request(method, f"/v1/responses/resp_x{call}"), "not_found")
    assert_error(client.get("/v1/responses/resp_x?stream=true"), "not_found")
