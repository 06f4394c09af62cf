"""The calls of svc-chat, with a fake engine."""

import json
from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient

from servicekit.contract import assert_error
from svc_chat.engine.fake import FakeEngine

HELLO = {"messages": [{"role": "user", "content": "hello there"}]}


def events(text: str) -> list[dict]:
    """Return the JSON events of a stream; it must end with [DONE]."""
    lines = [line[6:] for line in text.splitlines() if line.startswith("data: ")]
    assert lines[-1] == "[DONE]"
    return [json.loads(line) for line in lines[:-1]]


def test_an_answer_has_openais_shape(shared: TestClient) -> None:
    body = shared.post("/v1/chat/completions", json=HELLO).json()
    assert body["object"] == "chat.completion"
    assert body["choices"][0]["message"] == {
        "role": "assistant",
        "content": "echo: hello there",
        "refusal": None,
    }
    assert (
        body["usage"]["total_tokens"] == body["usage"]["prompt_tokens"] + body["usage"]["completion_tokens"]
    )
    assert {"queue_ms", "load_ms", "run_ms"} == body["timing"].keys()
    assert body["device"]


def test_a_stream_says_the_same_piece_by_piece(shared: TestClient) -> None:
    body = {**HELLO, "stream": True, "stream_options": {"include_usage": True}}
    chunks = events(shared.post("/v1/chat/completions", json=body).text)
    said = "".join(c["choices"][0]["delta"].get("content", "") for c in chunks if c["choices"])
    assert said == "echo: hello there"
    assert chunks[-1]["usage"]["completion_tokens"] == 3
    assert [c["choices"][0]["finish_reason"] for c in chunks if c["choices"]][-1] == "stop"


def test_the_official_client_reads_both(shared: TestClient) -> None:
    from openai import OpenAI

    official = OpenAI(base_url="http://testserver/v1", api_key="x", http_client=shared)  # type: ignore[arg-type]
    answer = official.chat.completions.create(model="gpt-4o", messages=HELLO["messages"])  # type: ignore[call-overload]
    assert answer.choices[0].message.content == "echo: hello there"
    assert answer.model == "fake-chat"
    stream = official.chat.completions.create(model="gpt-4o", messages=HELLO["messages"], stream=True)  # type: ignore[call-overload]
    assert "".join(c.choices[0].delta.content or "" for c in stream if c.choices) == "echo: hello there"


def test_max_tokens_ends_with_length(shared: TestClient) -> None:
    choice = shared.post("/v1/chat/completions", json={**HELLO, "max_tokens": 1}).json()["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("echo:", "length")


def test_n_gives_so_many_choices(shared: TestClient) -> None:
    assert len(shared.post("/v1/chat/completions", json={**HELLO, "n": 3}).json()["choices"]) == 3


def test_logprobs_come_when_asked_for(shared: TestClient) -> None:
    body = {**HELLO, "logprobs": True, "top_logprobs": 1}
    row = shared.post("/v1/chat/completions", json=body).json()["choices"][0]["logprobs"]["content"][0]
    assert row["logprob"] == -0.5
    assert row["top_logprobs"][0]["token"] == row["token"]


def test_a_tool_call_is_read_out_of_the_text(make_client: Callable[..., TestClient]) -> None:
    script = 'Sure.\n<tool_call>\n{"name": "weather", "arguments": {"city": "Recife"}}\n</tool_call>'
    client = make_client(FakeEngine(script))
    tools = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
    body = {**HELLO, "tools": tools}
    choice = client.post("/v1/chat/completions", json=body).json()["choices"][0]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["content"] == "Sure."
    assert json.loads(choice["message"]["tool_calls"][0]["function"]["arguments"]) == {"city": "Recife"}
    chunks = events(client.post("/v1/chat/completions", json={**body, "stream": True}).text)
    text = "".join(c["choices"][0]["delta"].get("content") or "" for c in chunks)
    assert "<tool_call>" not in text
    assert any("tool_calls" in c["choices"][0]["delta"] for c in chunks)
    assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"


def test_a_named_tool_is_forced_by_a_schema(make_client: Callable[..., TestClient]) -> None:
    engine = FakeEngine('{"name": "now", "arguments": {}}')
    tools = [{"type": "function", "function": {"name": n}} for n in ("now", "later")]
    body = {**HELLO, "tools": tools, "tool_choice": {"type": "function", "function": {"name": "now"}}}
    choice = make_client(engine).post("/v1/chat/completions", json=body).json()["choices"][0]
    assert choice["message"]["tool_calls"][0]["function"]["name"] == "now"
    schema = engine.requests[0].json_schema
    assert schema is not None
    assert schema["properties"]["name"] == {"const": "now"}


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"messages": []}, 400, "invalid_request"),
        ({"messages": [{"role": "king", "content": "x"}]}, 400, "invalid_request"),
        ({"messages": [{"role": "system", "content": "x"}]}, 400, "invalid_value"),
        ({"messages": [{"role": "user"}]}, 400, "invalid_value"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, 400, "invalid_value"),
        ({"messages": [{"role": "user", "content": "a " * 2000}]}, 400, "context_length_exceeded"),
        ({"temperature": 3}, 400, "invalid_request"),
        ({"temperature": "hot"}, 400, "invalid_request"),
        ({"max_tokens": 0}, 400, "invalid_request"),
        ({"n": 99}, 400, "invalid_request"),
        ({"model": "nope"}, 404, "model_not_found"),
        ({"persona": "nobody"}, 404, "not_found"),
        ({"response_format": {"type": "xml"}}, 400, "invalid_value"),
        ({"tool_choice": "required"}, 400, "invalid_value"),
        ({"stop": ["x"] * 40}, 400, "invalid_request"),
    ],
)
def test_wrong_input_is_a_clear_4xx(shared: TestClient, change: dict, status: int, code: str) -> None:
    answer = shared.post("/v1/chat/completions", json={**HELLO, **change})
    assert answer.status_code == status, answer.text
    assert_error(answer, code)


def test_the_documents_chat_answers_json(shared: TestClient) -> None:
    body = {"system_prompt": "Seja breve.", "user_input": "Olá"}
    assert shared.post("/chat", json=body).json() == {"response": "echo: Olá"}


def test_the_persona_pages_chat_answers_plain_text(shared: TestClient) -> None:
    answer = shared.post("/chat", json={"msg": "Olá"})
    assert answer.text == "echo: Olá"
    assert answer.headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize(
    "body", [{}, {"msg": ""}, {"msg": "  "}, {"msg": "a", "user_input": "b"}, {"msg": 1}]
)
def test_an_empty_or_mixed_chat_is_a_400(shared: TestClient, body: dict) -> None:
    answer = shared.post("/chat", json=body)
    assert answer.status_code == 400
    assert_error(answer)


def test_api_chat_streams_lines_and_ends_with_done(shared: TestClient) -> None:
    lines = [json.loads(line) for line in shared.post("/api/chat", json={"message": "oi"}).text.splitlines()]
    assert "".join(line["response"] for line in lines) == "echo: oi"
    assert [line["done"] for line in lines] == [False] * (len(lines) - 1) + [True]


def test_api_chat_answers_at_once_without_stream(shared: TestClient) -> None:
    body = shared.post("/api/chat", json={"message": "oi", "stream": False}).json()
    assert (body["response"], body["done"]) == ("echo: oi", True)


def test_a_persona_becomes_the_system_instruction(make_client: Callable[..., TestClient]) -> None:
    engine = FakeEngine()
    client = make_client(engine)
    kept = client.post("/v1/personas", json={"name": "Pirata", "description": "Fala como um pirata."}).json()
    client.post("/v1/chat/completions", json={**HELLO, "persona": kept["id"]})
    first = engine.requests[0].messages[0]
    assert first.role == "system"
    assert "Pirata" in first.content
    assert "Fala como um pirata." in first.content


def test_personas_are_imported_exported_changed_and_gone(client: TestClient) -> None:
    given = {"personas": [{"name": "Ana", "description": "calma"}, {"name": "Rui", "description": "direto"}]}
    kept = client.post("/v1/personas/import", json=given).json()["data"]
    exported = client.get("/v1/personas/export").json()["personas"]
    assert [(p["name"], p["description"]) for p in exported] == [("Ana", "calma"), ("Rui", "direto")]
    changed = client.patch(f"/v1/personas/{kept[0]['id']}", json={"description": "alegre"}).json()
    assert changed["description"] == "alegre"
    assert client.delete(f"/v1/personas/{kept[0]['id']}").json()["deleted"] is True
    assert client.get(f"/v1/personas/{kept[0]['id']}").status_code == 404
    assert client.post("/v1/personas", json={"name": "  "}).status_code == 400


def test_a_text_is_continued(shared: TestClient) -> None:
    body = shared.post("/v1/completions", json={"prompt": "Once", "max_tokens": 9, "echo": True}).json()
    assert body["choices"][0]["text"] == "Onceecho: Once"
    chunks = events(shared.post("/v1/completions", json={"prompt": "Once", "stream": True}).text)
    assert "".join(c["choices"][0]["text"] for c in chunks) == "echo: Once"


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"store": True}, "store"),
        ({"audio": {"voice": "alloy", "format": "wav"}}, "audio"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"web_search_options": {}}, "web_search_options"),
        ({"functions": [{"name": "f"}], "tools": []}, "functions"),
        ({"functions": []}, "functions"),
        ({"functions": [{"name": "f"}], "function_call": {"name": "g"}}, "tool_choice"),
        ({"function_call": "auto"}, "function_call"),
        ({"moderation": {}}, "moderation"),
        ({"top_logprobs": 2}, "top_logprobs"),
        ({"logprobs": True, "top_logprobs": 21}, "top_logprobs"),
        ({"logit_bias": {"-1": 1}}, "logit_bias"),
        ({"logit_bias": {"5": 101}}, "logit_bias.5"),
        ({"metadata": {"a": "x" * 600}}, "metadata.a"),
        ({"service_tier": "gold"}, "service_tier"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"tools": [{"type": "custom", "custom": {"name": "f"}}]}, "tools.0.type"),
        ({"tools": [{"type": "function", "function": {"name": "no spaces"}}]}, "tools.0.function.name"),
        ({"tool_choice": {"type": "custom"}}, "tool_choice"),
        ({"response_format": {"type": "json_schema", "json_schema": []}}, "response_format"),
        ({"response_format": {"type": "json_schema"}}, "response_format"),
        ({"timeout_s": 4000}, "timeout_s"),
        ({"max_completion_tokens": 0}, "max_completion_tokens"),
        ({"messages": [{"role": "tool", "content": "x", "tool_call_id": "c"}]}, "messages.0.tool_call_id"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages.0.tool_call_id"),
        (
            {"messages": [{"role": "assistant", "tool_calls": [{"id": "c"}]}]},
            "messages.0.tool_calls.0.function",
        ),
        ({"messages": [{"role": "function", "name": "f", "content": "x"}]}, "messages.0.name"),
        ({"messages": [{"role": "king", "content": "x"}]}, "messages.0.role"),
        ({"messages": [{"role": "assistant", "content": None}]}, "messages.0.content"),
    ],
)
def test_what_is_not_done_here_is_a_400_that_names_the_field(
    shared: TestClient, change: dict, param: str
) -> None:
    answer = shared.post("/v1/chat/completions", json={**HELLO, **change})
    assert answer.status_code == 400, answer.text
    assert_error(answer)
    assert answer.json()["error"]["param"] == param


def test_nulls_hints_and_strangers_fields_change_nothing(make_client: Callable[..., TestClient]) -> None:
    engine = FakeEngine()
    client = make_client(engine)
    names = ("temperature", "top_p", "n", "stop", "stream", "seed", "tools", "tool_choice", "logprobs", "logit_bias",
             "response_format", "max_tokens", "audio", "functions", "metadata", "parallel_tool_calls")  # fmt: skip
    hints = {"user": "u", "safety_identifier": "s", "prompt_cache_key": "k", "verbosity": "low", "stranger": {"x": 1},
             "reasoning_effort": "none", "prediction": {"type": "content", "content": "x"}}  # fmt: skip
    for body in (HELLO, {**HELLO, **dict.fromkeys(names)}, {**HELLO, **hints}):
        assert client.post("/v1/chat/completions", json=body).status_code == 200
    assert engine.requests[0] == engine.requests[1] == engine.requests[2]


def test_a_stop_string_ends_the_answer(shared: TestClient) -> None:
    for stop in (" there", ["never", " there"], ["x"] * 15 + [" there"]):
        choice = shared.post("/v1/chat/completions", json={**HELLO, "stop": stop}).json()["choices"][0]
        assert (choice["message"]["content"], choice["finish_reason"]) == ("echo: hello", "stop")


def test_an_answer_in_json_of_any_kind_is_not_taken_for_a_call(
    make_client: Callable[..., TestClient],
) -> None:
    script = '{"name": "weather", "arguments": {}}'
    body = {**HELLO, "tools": [{"type": "function", "function": {"name": "weather"}}]}
    client = make_client(FakeEngine(script))
    called = client.post("/v1/chat/completions", json=body).json()["choices"][0]
    asked = client.post("/v1/chat/completions", json={**body, "response_format": {"type": "json_object"}})
    assert called["finish_reason"] == "tool_calls"
    assert asked.json()["choices"][0]["message"]["content"] == script
    given = {
        "type": "json_schema",
        "json_schema": {"name": "x", "schema": {"type": "object", "required": ["a"]}},
    }
    either = client.post("/v1/chat/completions", json={**body, "response_format": given}).json()["choices"][0]
    assert either["finish_reason"] == "tool_calls"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", r'{"messages":[{"role":"user","content":"a\ud800"}]}'),
        (
            "/v1/chat/completions",
            r'{"messages":[{"role":"user","content":[{"type":"text","text":"a\ud800"}]}]}',
        ),
        ("/v1/chat/completions", r'{"messages":[{"role":"user","content":[{"type":"\ud800"}]}]}'),
        ("/v1/chat/completions", r'{"messages":[{"role":"user","content":"a"}],"metadata":{"\ud800":"x"}}'),
        (
            "/v1/chat/completions",
            r'{"messages":[{"role":"user","content":"a"}],"tool_choice":{"type":"\udfff"}}',
        ),
        ("/v1/completions", r'{"prompt":"a","logit_bias":{"\ud800":1}}'),
        ("/v1/completions", r'{"prompt":"\ud800"}'),
        ("/chat", r'{"msg":"\ud800"}'),
        ("/api/chat", r'{"message":"\ud800"}'),
        ("/train", r'{"training_data":{"a":"\ud800"}}'),
    ],
)
def test_text_that_is_not_unicode_is_a_400(shared: TestClient, path: str, body: str) -> None:
    answer = shared.post(path, content=body.encode(), headers={"content-type": "application/json"})
    assert answer.status_code == 400, answer.text
    assert_error(answer)
