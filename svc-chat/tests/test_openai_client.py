"""The official client and its types accept what we send, field by field."""

import json
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import openai
import pytest
from fastapi.testclient import TestClient
from openai import AsyncOpenAI, OpenAI
from openai.types import Completion
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from pydantic import BaseModel

from svc_chat.engine.base import Delta, GenerationRequest
from svc_chat.engine.fake import FakeEngine

HELLO: list[Any] = [{"role": "user", "content": "hello there"}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Tell the weather.",
        "strict": True,
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}
CALL = '{"name": "weather", "arguments": {"city": "Recife"}}'
OURS = {"timing", "device", "image_descriptions"}
NOT_SENT = {"moderation", "obfuscation", "annotations", "audio", "function_call", "text_tokens", "image_tokens",
            "cache_write_tokens"}  # fmt: skip
"""Fields of OpenAI's answers that ours never have: docs/api.md says so."""
Make = Callable[..., TestClient]


@pytest.fixture
def make_official(make_client: Make) -> Callable[..., OpenAI]:
    def make(engine: FakeEngine | None = None, **settings: object) -> OpenAI:
        http = make_client(engine, **settings)
        return OpenAI(base_url="http://testserver/v1", api_key="x", http_client=http, max_retries=0)  # type: ignore[arg-type]

    return make


@pytest.fixture
def official(make_official: Callable[..., OpenAI]) -> OpenAI:
    return make_official()


def sent_events(client: TestClient, path: str, body: dict) -> Iterator[dict]:
    text = client.post(path, json={**body, "stream": True}).text
    lines = [line[6:] for line in text.splitlines() if line.startswith("data: ")]
    assert lines[-1] == "[DONE]"
    yield from map(json.loads, lines[:-1])


def assert_exact(model: type[BaseModel], body: dict) -> None:
    """Check types strictly, that no field is unknown, and that none is missing but those we say are."""
    found = model.model_validate(body, strict=True)
    assert_fields(found, body, optional={"service_tier", "metadata", "usage", "tool_calls"})


def assert_fields(found: Any, sent: Any, optional: set[str]) -> None:
    if isinstance(found, list):
        for one, part in zip(found, sent, strict=True):
            assert_fields(one, part, optional)
    if not isinstance(found, BaseModel):
        return
    known = type(found).model_fields
    assert sent.keys() - known.keys() <= OURS
    # a chunk's delta and its pieces of calls hold what is new and nothing else
    if not type(found).__name__.startswith("ChoiceDelta"):
        assert known.keys() - sent.keys() <= NOT_SENT | optional
    for name in known.keys() & sent.keys():
        assert_fields(getattr(found, name), sent[name], optional)


CHAT = {
    "plain": ({}, None),
    "three choices with scores": ({"n": 3, "logprobs": True, "top_logprobs": 2, "seed": 7}, None),
    "everything said": (
        {"user": "ana", "metadata": {"a": "b"}, "service_tier": "flex", "store": False, "modalities": ["text"],
         "prediction": {"type": "content", "content": "hello"}, "reasoning_effort": "low", "verbosity": "low",
         "temperature": None, "n": None, "max_completion_tokens": 5, "parallel_tool_calls": True},
        None,
    ),
    "a forced call": ({"tools": [WEATHER], "tool_choice": "required"}, CALL),
    "a free call after text": ({"tools": [WEATHER]}, f"Let me see.\n<tool_call>\n{CALL}\n</tool_call>"),
}  # fmt: skip


@pytest.mark.parametrize("case", CHAT)
def test_a_chat_completion_has_exactly_openais_fields(make_client: Make, case: str) -> None:
    change, script = CHAT[case]
    answer = make_client(FakeEngine(script)).post("/v1/chat/completions", json={"messages": HELLO, **change})
    body = answer.json()
    assert answer.status_code == 200, body
    assert_exact(ChatCompletion, body)
    assert body["system_fingerprint"].startswith("fp_")
    if case == "everything said":
        assert (body["service_tier"], body["metadata"]) == ("default", {"a": "b"})


@pytest.mark.parametrize("case", CHAT)
def test_chunks_of_a_chat_have_exactly_openais_fields(make_client: Make, case: str) -> None:
    change, script = CHAT[case]
    body = {"messages": HELLO, **change, "stream_options": {"include_usage": True}}
    chunks = list(sent_events(make_client(FakeEngine(script)), "/v1/chat/completions", body))
    for chunk in chunks:
        assert_exact(ChatCompletionChunk, chunk)
    assert len({(c["id"], c["created"], c["system_fingerprint"]) for c in chunks}) == 1
    assert [c["usage"] for c in chunks[:-1]] == [None] * (len(chunks) - 1)
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"]["completion_tokens"] > 0


@pytest.mark.parametrize("change", [{}, {"n": 2, "logprobs": 2}, {"prompt": ["a", "b"], "best_of": 3}])
def test_a_completion_has_exactly_openais_fields(shared: TestClient, change: dict) -> None:
    assert_exact(Completion, shared.post("/v1/completions", json={"prompt": "Once", **change}).json())


@pytest.mark.parametrize("change", [{}, {"n": 2, "logprobs": 2}, {"prompt": ["a", "b"], "echo": True}])
def test_chunks_of_a_completion_have_openais_fields(shared: TestClient, change: dict) -> None:
    body = {"prompt": "Once", **change, "stream_options": {"include_usage": True}}
    chunks = list(sent_events(shared, "/v1/completions", body))
    for chunk in chunks:
        for choice in chunk[
            "choices"
        ]:  # the client's type has it always there; OpenAI sends null until the end
            choice["finish_reason"] = choice["finish_reason"] or "stop"
        assert_exact(Completion, chunk)
    assert chunks[-1]["usage"]["total_tokens"] > 0


def test_usage_is_left_out_of_chunks_when_it_was_not_asked_for(shared: TestClient) -> None:
    chunks = list(sent_events(shared, "/v1/chat/completions", {"messages": HELLO}))
    assert not any("usage" in chunk for chunk in chunks)


def test_choices_are_told_apart_in_a_stream(make_official: Callable[..., OpenAI]) -> None:
    official = make_official(FakeEngine(["one and two", "three", "four five six"]))
    said = ["", "", ""]
    ended = []
    for chunk in official.chat.completions.create(model="gpt-4o", messages=HELLO, n=3, stream=True):
        for choice in chunk.choices:
            said[choice.index] += choice.delta.content or ""
            ended += [choice.index] if choice.finish_reason else []
    assert said == ["one and two", "three", "four five six"]
    assert sorted(ended) == [0, 1, 2]


def test_the_engine_is_asked_once_for_all_choices(make_client: Make) -> None:
    engine = FakeEngine()
    body = {"messages": HELLO, "n": 3}
    used = make_client(engine).post("/v1/chat/completions", json=body).json()["usage"]
    assert [request.choices for request in engine.requests] == [3]
    assert (used["prompt_tokens"], used["completion_tokens"]) == (2, 9)


def test_sampling_reaches_the_engine(make_official: Callable[..., OpenAI]) -> None:
    engine = FakeEngine()
    make_official(engine).chat.completions.create(
        model="gpt-4o", messages=HELLO, seed=5, logit_bias={"42": -100, "7": 3}, frequency_penalty=0.5,
        presence_penalty=-0.5, temperature=0.1, top_p=0.2, stop=["a", "b"], max_completion_tokens=9, max_tokens=3,
        extra_body={"top_k": 3, "min_p": 0.2, "repeat_penalty": 1.1, "timeout_s": 30},
    )  # fmt: skip
    sampling = engine.requests[0].sampling
    assert sampling.logit_bias == {42: -100, 7: 3}
    assert (sampling.seed, sampling.stop, sampling.max_tokens) == (5, ("a", "b"), 9)
    assert (sampling.frequency_penalty, sampling.presence_penalty) == (0.5, -0.5)
    assert (sampling.temperature, sampling.top_p, sampling.top_k, sampling.min_p) == (0.1, 0.2, 3, 0.2)
    assert engine.requests[0].timeout_s == 30


def test_a_deadline_ends_the_answer_with_what_there_is(make_client: Make) -> None:
    client = make_client(FakeEngine("a " * 20_000, delay_s=0.01))
    for header in (True, False):
        for limit_s in (0.1, 1.0, 10.0):  # the machine may be too busy for the shorter ones
            headers = {"x-request-timeout": str(limit_s)} if header else {}
            body = {"messages": HELLO} | ({} if header else {"timeout_s": limit_s})
            choice = client.post("/v1/chat/completions", json=body, headers=headers).json()["choices"][0]
            if choice["message"]["content"]:
                break
        assert choice["finish_reason"] == "length"
        assert 0 < len(choice["message"]["content"]) < 3000


@pytest.mark.parametrize("header", ["soon", "0", "-1", "nan", "inf", "99999"])
def test_a_deadline_that_is_none_is_a_400(shared: TestClient, header: str) -> None:
    answer = shared.post(
        "/v1/chat/completions", json={"messages": HELLO}, headers={"x-request-timeout": header}
    )
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "x-request-timeout"


def test_forced_calls_are_accumulated_by_the_clients_stream_helper(
    make_official: Callable[..., OpenAI],
) -> None:
    script = f"{CALL}\n</tool_call>\n<tool_call>\n{CALL.replace('Recife', 'São Paulo')}\n</tool_call>"
    engine = FakeEngine(script)
    pieces = []
    with make_official(engine).chat.completions.stream(
        model="gpt-4o",
        messages=HELLO,
        tools=[WEATHER],
        tool_choice="required",  # type: ignore[list-item]
    ) as stream:
        for event in stream:
            if event.type == "tool_calls.function.arguments.delta":
                pieces.append((event.index, event.name, event.arguments_delta))
        final = stream.get_final_completion()
    calls = final.choices[0].message.tool_calls or []
    assert [call.function.parsed_arguments for call in calls] == [{"city": "Recife"}, {"city": "São Paulo"}]
    assert len({call.id for call in calls}) == 2
    assert final.choices[0].finish_reason == "tool_calls"
    assert final.choices[0].message.content is None
    assert len([p for p in pieces if p[0] == 0]) > 1
    assert engine.requests[0].repetition is not None


def test_one_call_is_forced_when_calls_may_not_be_parallel(make_client: Make) -> None:
    engine = FakeEngine(CALL)
    body = {"messages": HELLO, "tools": [WEATHER], "tool_choice": "required", "parallel_tool_calls": False}
    make_client(engine).post("/v1/chat/completions", json=body)
    assert engine.requests[0].repetition is None
    assert "</tool_call>" in engine.requests[0].sampling.stop


def test_a_tools_result_goes_back_into_the_next_turn(make_official: Callable[..., OpenAI]) -> None:
    engine = FakeEngine(f"<tool_call>{CALL}</tool_call>")
    official = make_official(engine)
    first = official.chat.completions.create(model="gpt-4o", messages=HELLO, tools=[WEATHER])  # type: ignore[list-item]
    message = first.choices[0].message
    assert message.tool_calls is not None
    engine.script = "It rains."
    result = {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": '{"sky": "rain"}'}
    second = official.chat.completions.create(
        model="gpt-4o",
        messages=[*HELLO, message, result],
        tools=[WEATHER],  # type: ignore[list-item]
    )
    assert second.choices[0].message.content == "It rains."
    turns = engine.requests[1].messages
    assert [turn.role for turn in turns] == ["user", "assistant", "tool"]
    assert turns[1].tool_calls[0]["function"]["name"] == "weather"
    assert (turns[2].content, turns[2].tool_call_id) == ('{"sky": "rain"}', message.tool_calls[0].id)


@pytest.mark.parametrize("choice", ["auto", {"name": "weather"}])
def test_functions_are_called_as_they_were_before_tools(
    make_official: Callable[..., OpenAI], choice: Any
) -> None:
    engine = FakeEngine(CALL)
    official = make_official(engine)
    ask: dict[str, Any] = {"model": "gpt-4o", "functions": [WEATHER["function"]], "function_call": choice}
    first = official.chat.completions.create(messages=HELLO, **ask).choices[0]
    assert (first.finish_reason, first.message.tool_calls) == ("function_call", None)
    assert first.message.function_call is not None
    assert first.message.function_call.name == "weather"
    name, arguments, reasons = "", "", []
    for chunk in official.chat.completions.create(messages=HELLO, stream=True, **ask):
        said = chunk.choices[0].delta.function_call
        name += (said and said.name) or ""
        arguments += (said and said.arguments) or ""
        reasons.append(chunk.choices[0].finish_reason)
    assert (name, json.loads(arguments), reasons[-1]) == ("weather", {"city": "Recife"}, "function_call")
    engine.script = "It rains."
    result = {"role": "function", "name": "weather", "content": "rain"}
    official.chat.completions.create(messages=[*HELLO, first.message, result], **ask)
    assistant, tool = engine.requests[-1].messages[1:]
    assert assistant.tool_calls[0]["id"] == tool.tool_call_id
    assert (tool.role, tool.content) == ("tool", "rain")


class Step(BaseModel):
    what: str
    minutes: int


class Plan(BaseModel):
    steps: list[Step]


def test_parse_gives_the_clients_own_class(make_official: Callable[..., OpenAI]) -> None:
    engine = FakeEngine('{"steps": [{"what": "saw", "minutes": 3}]}')
    parsed = make_official(engine).chat.completions.parse(
        model="gpt-4o", messages=HELLO, response_format=Plan
    )
    assert parsed.choices[0].message.parsed == Plan(steps=[Step(what="saw", minutes=3)])
    schema = engine.requests[0].json_schema
    assert schema is not None
    assert schema["$defs"]["Step"]["required"] == ["what", "minutes"]


def test_parse_gives_the_arguments_of_a_strict_function(make_official: Callable[..., OpenAI]) -> None:
    engine = FakeEngine('{"name": "Plan", "arguments": {"steps": [{"what": "saw", "minutes": 3}]}}')
    parsed = make_official(engine).chat.completions.parse(
        model="gpt-4o", messages=HELLO, tools=[openai.pydantic_function_tool(Plan)], tool_choice="required"
    )
    calls = parsed.choices[0].message.tool_calls
    assert calls is not None
    assert calls[0].function.parsed_arguments == Plan(steps=[Step(what="saw", minutes=3)])
    schema = engine.requests[0].json_schema
    assert schema is not None
    assert "tool-0-Step" in schema["$defs"]


def test_the_raw_response_has_headers_and_the_parsed_body(official: OpenAI) -> None:
    raw = official.chat.completions.with_raw_response.create(model="gpt-4o", messages=HELLO)
    assert raw.headers["x-request-id"]
    assert raw.parse().choices[0].message.content == "echo: hello there"


def test_the_client_raises_its_own_errors(official: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as missing:
        official.chat.completions.create(model="nope", messages=HELLO)
    assert missing.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError) as wrong:
        official.chat.completions.create(model="gpt-4o", messages=HELLO, temperature=9)
    assert wrong.value.param == "temperature"


class Breaking(FakeEngine):
    """Breaks after its first word."""

    def __init__(self, error: Exception):
        super().__init__()
        self._error = error

    async def generate(self, request: GenerationRequest) -> AsyncIterator[Delta]:
        yield Delta("so")
        raise self._error


@pytest.mark.parametrize("secret", [ValueError("secret path")])
def test_an_error_in_mid_stream_is_raised_by_the_client(
    make_official: Callable[..., OpenAI], secret: Exception
) -> None:
    stream = make_official(Breaking(secret)).chat.completions.create(
        model="gpt-4o", messages=HELLO, stream=True
    )
    said = []
    with pytest.raises(openai.APIError) as caught:
        for chunk in stream:
            said.append(chunk.choices[0].delta.content)
    assert "so" in said
    assert "secret" not in str(caught.value)
    assert caught.value.code == "internal_error"


async def test_the_async_client_reads_answers_and_streams(make_client: Make) -> None:
    app = make_client().app
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://testserver") as http:
        official = AsyncOpenAI(base_url="http://testserver/v1", api_key="x", http_client=http)
        answer = await official.chat.completions.create(model="gpt-4o", messages=HELLO)
        assert answer.choices[0].message.content == "echo: hello there"
        stream = await official.chat.completions.create(model="gpt-4o", messages=HELLO, stream=True)
        assert "".join([c.choices[0].delta.content or "" async for c in stream]) == "echo: hello there"
        text = await official.completions.create(model="gpt-4o", prompt=["a", "b"], stream=True, max_tokens=9)
        said = ["", ""]
        async for part in text:
            said[part.choices[0].index] += part.choices[0].text
        assert said == ["echo: a", "echo: b"]


class NothingInstalled(FakeEngine):
    """An engine without a model."""

    async def models(self) -> list[Any]:
        return []


def test_the_client_does_not_try_again_where_a_model_has_to_be_installed(make_client: Make) -> None:
    http = make_client(NothingInstalled())
    asked: list[httpx.Response] = []
    http.event_hooks = {"response": [asked.append]}
    client = OpenAI(base_url="http://testserver/v1", api_key="x", http_client=http, max_retries=2)
    with pytest.raises(openai.InternalServerError, match="POST /v1/models/install") as raised:
        client.chat.completions.create(model="gpt-4o", messages=HELLO)
    assert (raised.value.status_code, raised.value.code, len(asked)) == (503, "no_model", 1)
    assert "retry-after" not in asked[0].headers
