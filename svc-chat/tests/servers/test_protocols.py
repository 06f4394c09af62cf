"""What other servers say comes through, and they are told what was asked."""

import json
from typing import Any

import pytest

from servicekit.errors import (
    BadRequest,
)
from svc_chat.domain.answers import Answer, gathered
from svc_chat.engine.base import Engine, GenerationRequest, Message, Sampling
from svc_chat.engine.fake import FakeEngine
from svc_chat.engine.group import EngineGroup

DOT = "data:image/png;base64,iVBORw0KGgo="
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
CALL = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Recife"}'}}


def ask(**fields: Any) -> GenerationRequest:
    return GenerationRequest("big", (Message("user", "hi"),), **fields)


async def answers(engine: Engine, request: GenerationRequest) -> list[Answer]:
    try:
        return await gathered(engine.generate(request), request.choices)
    finally:
        await engine.close()


async def test_an_openai_server_is_told_everything(other: Any) -> None:
    other.pieces = list(other.OPENAI_TEXT)
    sampling = Sampling(
        max_tokens=9, temperature=0.1, top_p=0.5, top_k=7, seed=3, stop=("x",), logit_bias={5: -100.0},
        top_logprobs=2, frequency_penalty=0.3, presence_penalty=0.4,
    )  # fmt: skip
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    await answers(other.openai(), ask(sampling=sampling, json_schema=schema, tools=(WEATHER,)))
    told = other.asked[0]
    assert told["path"] == "/v1/chat/completions"
    assert (told["max_tokens"], told["temperature"], told["top_p"], told["seed"]) == (9, 0.1, 0.5, 3)
    assert (told["top_k"], told["stop"], told["logit_bias"]) == (7, ["x"], {"5": -100.0})
    assert (told["logprobs"], told["top_logprobs"]) == (True, 2)
    assert (told["frequency_penalty"], told["presence_penalty"]) == (0.3, 0.4)
    assert told["tools"] == [WEATHER]
    assert told["response_format"]["json_schema"]["schema"] == schema
    assert not {"min_p", "repetition_penalty", "tool_choice", "n", "parallel_tool_calls"} & told.keys()


@pytest.mark.parametrize(
    ("forced", "parallel", "choice"),
    [
        (("weather",), False, {"type": "function", "function": {"name": "weather"}}),
        (("weather", "now"), True, "required"),
        ((), True, None),
    ],
)
async def test_an_openai_server_is_told_which_tool_must_be_called(
    other: Any, forced: tuple[str, ...], parallel: bool, choice: Any
) -> None:
    other.pieces = list(other.OPENAI_TEXT)
    now = {"type": "function", "function": {"name": "now"}}
    fields = {"answer_prefix": "<tool_call>\n", "json_schema": {"type": "object"}} if forced else {}
    request = ask(tools=(WEATHER, now), forced_tools=forced, parallel_calls=parallel, **fields)
    await answers(other.openai(), request)
    told = other.asked[0]
    assert told.get("tool_choice") == choice
    assert told.get("parallel_tool_calls", True) is parallel
    assert "response_format" not in told


async def test_an_openai_servers_calls_scores_and_choices_come_back(other: Any) -> None:
    def call(arguments: str, **more: Any) -> dict:
        return {
            "tool_calls": [
                {"index": 0, "function": {"arguments": arguments, **more.pop("function", {})}, **more}
            ]
        }

    score = {"token": "Hi", "logprob": -0.1, "bytes": None, "top_logprobs": [{"token": "Yo", "logprob": -2}]}
    other.pieces = [
        other.chunk({"content": "Hi"}, 1, logprobs={"content": [score]}),
        other.chunk(call("", id="c9", type="function", function={"name": "weather"})),
        other.chunk(call('{"city": ')),
        other.chunk(call('"Recife"}')),
        other.chunk({}, 0, "tool_calls"),
        other.chunk({}, 1, "length"),
        other.USED,
    ]
    first, second = await answers(other.openai(), ask(choices=2, tools=(WEATHER,)))
    assert first.tool_calls == ({**CALL, "id": "c9"},)
    assert (first.finish_reason, second.finish_reason) == ("tool_calls", "length")
    assert (second.text, second.logprobs[0].logprob, second.logprobs[0].top) == ("Hi", -0.1, (("Yo", -2.0),))
    assert first.usage.completion_tokens + second.usage.completion_tokens == 4
    assert other.asked[0]["n"] == 2


async def test_choices_that_an_openai_server_overlooks_are_asked_for_one_by_one(other: Any) -> None:
    other.pieces = list(other.OPENAI_TEXT)
    found = await answers(other.openai(), ask(choices=3, sampling=Sampling(seed=10)))
    assert [answer.text for answer in found] == ["Hello"] * 3
    assert [(told.get("n"), told["seed"]) for told in other.asked] == [(3, 10), (None, 11), (None, 12)]


async def test_a_plain_text_is_continued_with_its_scores(other: Any) -> None:
    scores = {"tokens": ["a"], "token_logprobs": [-0.5], "top_logprobs": [{"a": -0.5, "b": -1}]}
    other.pieces = [{"choices": [{"index": 0, "text": "a", "logprobs": scores, "finish_reason": "length"}]}]
    request = GenerationRequest("big", prompt="Once", sampling=Sampling(top_logprobs=2))
    answer = (await answers(other.openai(), request))[0]
    assert (answer.text, answer.logprobs[0].top) == ("a", (("a", -0.5), ("b", -1.0)))
    assert (other.asked[0]["path"], other.asked[0]["prompt"], other.asked[0]["logprobs"]) == (
        "/v1/completions", "Once", 2,
    )  # fmt: skip


TURNS = (
    Message("user", "\ufffc\nWeather here?", images=(DOT,)),
    Message("assistant", "", tool_calls=(CALL,)),
    Message("tool", "rain", tool_call_id="c1"),
)


async def test_pictures_calls_and_results_are_sent_in_openais_way(other: Any) -> None:
    other.pieces = list(other.OPENAI_TEXT)
    await answers(other.openai(), GenerationRequest("eyes", TURNS))
    user, assistant, tool = other.asked[0]["messages"]
    assert user["content"] == [
        {"type": "image_url", "image_url": {"url": DOT}},
        {"type": "text", "text": "Weather here?"},
    ]
    assert (assistant["content"], assistant["tool_calls"]) == (None, [CALL])
    assert tool == {"role": "tool", "content": "rain", "tool_call_id": "c1"}


async def test_pictures_calls_and_results_are_sent_in_ollamas_way(other: Any) -> None:
    other.pieces = list(other.OLLAMA_TEXT)
    await answers(other.ollama(), GenerationRequest("llava:7b", TURNS, tools=(WEATHER,)))
    user, assistant, tool = other.asked[0]["messages"]
    assert user == {"role": "user", "content": "Weather here?", "images": [DOT.split(",")[1]]}
    assert assistant["tool_calls"] == [{"function": {"name": "weather", "arguments": {"city": "Recife"}}}]
    assert tool == {"role": "tool", "content": "rain", "tool_name": "weather"}
    assert other.asked[0]["tools"] == [WEATHER]


async def test_a_picture_of_the_own_network_is_not_fetched_for_another_server(other: Any) -> None:
    secret = Message("user", "x", images=(f"{other.url}/v1/models",))
    for engine in (other.openai(), other.ollama()):
        with pytest.raises(BadRequest):
            await answers(engine, GenerationRequest("eyes", (secret,)))
    assert other.listed == 0


async def test_ollamas_calls_scores_and_options_come_through(other: Any) -> None:
    called = {"function": {"name": "weather", "arguments": {"city": "Recife"}}}
    score = {"token": "Hm", "logprob": -0.2, "top_logprobs": [{"token": "Hm", "logprob": -0.2}]}
    other.pieces = [
        {"message": {"content": "Hm", "thinking": "let me see"}, "logprobs": [score]},
        {"message": {"content": "", "tool_calls": [called, called]}},
        other.OLLAMA_END,
    ]
    sampling = Sampling(max_tokens=9, seed=3, top_logprobs=1, presence_penalty=0.5)
    answer = (await answers(other.ollama(), ask(tools=(WEATHER,), sampling=sampling)))[0]
    assert [json.loads(call["function"]["arguments"]) for call in answer.tool_calls] == [
        {"city": "Recife"}
    ] * 2
    assert len({call["id"] for call in answer.tool_calls}) == 2
    assert (answer.text, answer.finish_reason, answer.logprobs[0].logprob) == ("Hm", "tool_calls", -0.2)
    told = other.asked[0]
    assert (told["logprobs"], told["top_logprobs"]) == (True, 1)
    assert {"num_predict": 9, "seed": 3, "presence_penalty": 0.5}.items() <= told["options"].items()


async def test_a_call_is_forced_on_ollama_by_a_schema(other: Any) -> None:
    other.pieces = list(other.OLLAMA_TEXT)
    schema = {"type": "object", "properties": {"name": {"const": "weather"}}}
    await answers(other.ollama(), ask(tools=(WEATHER,), forced_tools=("weather",), json_schema=schema))
    assert other.asked[0]["format"] == schema
    assert "tools" not in other.asked[0]
    assert '"weather"' in other.asked[0]["messages"][0]["content"]


async def test_ollama_is_asked_for_each_choice_and_refuses_a_logit_bias(other: Any) -> None:
    other.pieces = list(other.OLLAMA_TEXT)
    found = await answers(other.ollama(), ask(choices=3, sampling=Sampling(seed=1)))
    assert [answer.text for answer in found] == ["Hello"] * 3
    assert sorted(told["options"]["seed"] for told in other.asked) == [1, 2, 3]
    with pytest.raises(BadRequest, match="logit_bias"):
        await answers(other.ollama(), ask(sampling=Sampling(logit_bias={1: 1.0})))


async def test_which_models_see_is_known(other: Any) -> None:
    openai, ollama = other.openai(seeing=("told",)), other.ollama()
    group = EngineGroup([FakeEngine(), openai, ollama])
    await group.models()
    assert [await openai.sees(name) for name in ("big", "eyes", "told")] == [False, True, True]
    assert [await ollama.sees(name) for name in ("big", "llava:7b")] == [False, True]
    assert [await group.sees(name) for name in ("fake-chat", "big", "eyes", "llava:7b")] == [
        False,
        False,
        True,
        True,
    ]
    await group.close()
