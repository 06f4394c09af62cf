"""OpenAI's calls with the built-in model itself: what the API promises, llama.cpp does."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from openai import OpenAI
from pydantic import BaseModel

from svc_chat.app import create_app
from svc_chat.settings import Settings

pytestmark = pytest.mark.model
HELLO: list[Any] = [{"role": "user", "content": "Olá! Quem é você?"}]
INVENT: list[Any] = [{"role": "user", "content": "Descreva uma cena."}]
"""Of what it is the model is sure; of a scene it can think of many."""


def tool(name: str, **properties: dict) -> Any:
    parameters = {
        "type": "object",
        "properties": properties,
        "required": [*properties],
        "additionalProperties": False,
    }
    return {
        "type": "function",
        "function": {"name": name, "description": f"{name}.", "parameters": parameters},
    }


WEATHER, NOW = tool("weather", city={"type": "string", "enum": ["Recife", "Natal"]}), tool("now")


NOW_STRICT: Any = {"type": "function", "function": {**NOW["function"], "strict": True}}


@pytest.fixture(scope="module")
def official(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenAI]:
    folder: Path = tmp_path_factory.mktemp("chat")
    settings = Settings(data_dir=folder, auth="off", allowed_hosts=("testserver",), vision_url="")
    with TestClient(create_app(settings)) as http:
        yield OpenAI(base_url="http://testserver/v1", api_key="x", http_client=http, max_retries=0)  # type: ignore[arg-type]


def test_choices_differ_and_a_seed_repeats_them(official: OpenAI) -> None:
    def said() -> list[str | None]:
        answer = official.chat.completions.create(
            model="gpt-4o", messages=INVENT, n=4, seed=11, temperature=1.5, max_tokens=24
        )
        assert answer.usage is not None
        assert answer.usage.prompt_tokens < 100
        return [choice.message.content for choice in answer.choices]

    first = said()
    assert len(set(first)) > 1
    assert said() == first


def test_scores_are_probabilities_and_a_ban_is_kept(official: OpenAI) -> None:
    fields: dict[str, Any] = {"model": "gpt-4o", "messages": HELLO, "max_tokens": 8, "temperature": 0}
    scores = official.chat.completions.create(**fields, logprobs=True, top_logprobs=5).choices[0].logprobs
    assert scores is not None
    assert scores.content is not None
    for row in scores.content:
        assert row.logprob <= 0
        assert len(row.top_logprobs) == 5
        assert sum(math.exp(other.logprob) for other in row.top_logprobs) <= 1.001


def test_the_bytes_of_all_tokens_are_the_text(official: OpenAI) -> None:
    choice = official.chat.completions.create(
        model="gpt-4o", messages=HELLO, max_tokens=60, temperature=1.9, seed=3, logprobs=True
    ).choices[0]
    assert choice.logprobs is not None
    rows = choice.logprobs.content or []
    said = b"".join(bytes(row.bytes or []) for row in rows).decode("utf-8", "replace")
    assert said == choice.message.content


def test_a_required_call_is_valid_whatever_the_model_knows(official: OpenAI) -> None:
    with official.chat.completions.stream(
        model="gpt-4o",
        messages=HELLO,
        tools=[WEATHER, NOW],
        tool_choice="required",
        max_tokens=400,
        temperature=1.2,
    ) as stream:
        kinds = {event.type for event in stream}
        final = stream.get_final_completion()
    calls = final.choices[0].message.tool_calls
    assert calls
    assert "tool_calls.function.arguments.delta" in kinds
    for call in calls:
        arguments = json.loads(call.function.arguments)
        assert arguments == {} if call.function.name == "now" else arguments["city"] in ("Recife", "Natal")


def test_one_call_alone_when_they_may_not_be_parallel_or_one_is_named(official: OpenAI) -> None:
    for choice in ("required", {"type": "function", "function": {"name": "weather"}}):
        answer = official.chat.completions.create(
            model="gpt-4o", messages=HELLO, tools=[WEATHER, NOW], tool_choice=choice,  # type: ignore[arg-type]
            parallel_tool_calls=False, max_tokens=200,
        )  # fmt: skip
        assert len(answer.choices[0].message.tool_calls or []) == 1
        assert answer.choices[0].finish_reason == "tool_calls"


class Inner(BaseModel):
    mood: bool
    count: int


class Flag(BaseModel):
    on: bool


class Outer(BaseModel):
    inner: list[Inner]


def test_parse_gets_a_whole_nested_class(official: OpenAI) -> None:
    schema = {**Outer.model_json_schema()}
    schema["properties"]["inner"]["maxItems"] = 2
    answer = official.chat.completions.create(
        model="gpt-4o", messages=HELLO, max_tokens=300, temperature=0,
        response_format={"type": "json_schema", "json_schema": {"name": "outer", "strict": True, "schema": schema}},
    )  # fmt: skip
    assert answer.choices[0].finish_reason == "stop"
    Outer.model_validate_json(answer.choices[0].message.content or "")


def test_an_answer_by_a_schema_may_be_a_call_as_well(official: OpenAI) -> None:
    seen = set()
    for seed in range(24):
        choice = official.chat.completions.parse(
            model="gpt-4o", messages=HELLO, response_format=Flag, tools=[NOW_STRICT], max_tokens=60, temperature=2,
            seed=seed, logit_bias={},
        ).choices[0]  # fmt: skip
        if choice.finish_reason == "tool_calls":
            assert choice.message.tool_calls
            assert choice.message.tool_calls[0].function.name == "now"
            assert choice.message.content is None
        elif choice.finish_reason == "stop":
            assert isinstance(choice.message.parsed, Flag)
        seen.add(choice.finish_reason)
    assert seen <= {"stop", "tool_calls"}


def test_several_texts_are_continued_side_by_side(official: OpenAI) -> None:
    answer = official.completions.create(
        model="gpt-4o", prompt=["Era uma vez", "Once upon"], n=2, max_tokens=6, logprobs=2, echo=True,
        logit_bias={"2": -100},
    )  # fmt: skip
    assert [choice.index for choice in answer.choices] == [0, 1, 2, 3]
    assert answer.choices[3].text.startswith("Once upon")
    scores = answer.choices[0].logprobs
    assert scores is not None
    assert scores.text_offset is not None
    assert scores.text_offset[1] == len("Era uma vez")


def test_a_deadline_ends_a_long_answer(official: OpenAI) -> None:
    answer = official.chat.completions.create(
        model="gpt-4o", messages=HELLO, max_tokens=2000, temperature=2, logit_bias={"2": -100},
        extra_headers={"x-request-timeout": "0.05"},
    )  # fmt: skip
    assert answer.choices[0].finish_reason in ("length", "stop")
    assert answer.usage is not None
    assert answer.usage.completion_tokens < 2000
