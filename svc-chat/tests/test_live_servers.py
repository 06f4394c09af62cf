"""Real connections to servers that speak OpenAI's and Ollama's protocols, and to such that misbehave."""

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi.testclient import TestClient
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from servicekit.errors import (
    BadRequest,
    DeadlineExceeded,
    ModelNotFound,
    NotReady,
    ServiceError,
    TooBusy,
    UpstreamFailed,
)
from svc_chat.app import create_app
from svc_chat.domain.answers import Answer, gathered
from svc_chat.engine.base import Engine, GenerationRequest, Message, Sampling
from svc_chat.engine.fake import FakeEngine
from svc_chat.engine.group import EngineGroup
from svc_chat.engine.modellist import ModelList
from svc_chat.engine.ollama import OllamaEngine
from svc_chat.engine.openai_server import OpenAIServerEngine
from svc_chat.settings import Settings

SECRET = "/srv/secret/path"
DOT = "data:image/png;base64,iVBORw0KGgo="
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
CALL = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Recife"}'}}


class Other:
    """A server of another make. `mode` says how it misbehaves; `asked` is what it was told."""

    def __init__(self) -> None:
        self.mode, self.asked, self.left = "", list[dict](), threading.Event()
        self.listed, self.port = 0, 0
        self.pieces: list[dict] = []
        routes = [
            Route("/v1/models", self.models),
            Route("/api/tags", self.models),
            Route("/api/show", self.show, methods=["POST"]),
            Route("/{path:path}", self.answer, methods=["POST"]),
        ]
        self.app = Starlette(routes=routes)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def models(self, request: Request) -> Response:
        self.listed += 1
        if self.mode == "slow list":
            await asyncio.sleep(3)
        if self.mode in ("no list", "garbage"):
            return Response("<html>", status_code=200 if self.mode == "garbage" else 500)
        if request.url.path.startswith("/api"):
            return JSONResponse({"models": [{"name": "big", "size": 7}, {"name": "llava:7b"}]})
        eyes = {"id": "eyes", "architecture": {"input_modalities": ["text", "image"]}}
        return JSONResponse({"object": "list", "data": [{"id": "big"}, eyes]})

    async def show(self, request: Request) -> Response:
        model = (await request.json())["model"]
        return JSONResponse({"capabilities": ["completion"] + (["vision"] if "llava" in model else [])})

    async def answer(self, request: Request) -> Response:
        self.asked.append({**(await request.json()), "path": request.url.path})
        if self.mode.isdigit():
            body = {"error": {"message": SECRET, "code": "context_length_exceeded"}}
            return JSONResponse(body, int(self.mode), headers={"Retry-After": "7"})
        if self.mode == "slow start":
            await asyncio.sleep(30)
        ollama = request.url.path.startswith("/api")
        kind = "application/x-ndjson" if ollama else "text/event-stream"
        return StreamingResponse(self.lines(ollama), media_type=kind)

    async def lines(self, ollama: bool) -> AsyncIterator[bytes]:
        try:
            for place, piece in enumerate(self.pieces):
                text = json.dumps(piece).encode()
                yield text + b"\n" if ollama else b"data: " + text + b"\n\n"
                if place == 0 and self.mode:
                    async for line in self.misbehaving(ollama):
                        yield line
            yield b"" if ollama else b"data: [DONE]\n\n"
        finally:
            self.left.set()

    async def misbehaving(self, ollama: bool) -> AsyncIterator[bytes]:
        if self.mode == "hangs":
            await asyncio.sleep(30)
        elif self.mode == "cut":
            raise RuntimeError("cut")
        elif self.mode == "garbage":
            yield b"{]\n" if ollama else b"data: {]\n\n"
        elif self.mode == "nonsense":
            yield b"[1]\n" if ollama else b'data: {"choices": [7]}\n\n'
        elif self.mode == "error":
            error = json.dumps({"error": SECRET if ollama else {"message": SECRET}}).encode()
            yield error + b"\n" if ollama else b"data: " + error + b"\n\n"
        elif self.mode == "endless line":
            for _ in range(80):
                yield b"x" * 100_000


@pytest.fixture
def other() -> Iterator[Other]:
    server = Other()
    config = uvicorn.Config(server.app, port=0, log_level="critical", lifespan="off")
    running = uvicorn.Server(config)
    thread = threading.Thread(target=running.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 10
    while not running.started and time.monotonic() < deadline:
        time.sleep(0.01)
    server.port = running.servers[0].sockets[0].getsockname()[1]
    yield server
    running.should_exit = running.force_exit = True
    thread.join(5)


def openai_engine(other: Other, **options: Any) -> OpenAIServerEngine:
    return OpenAIServerEngine(f"{other.url}/v1", "key", httpx.AsyncClient(timeout=20), **options)


def ollama_engine(other: Other, **options: Any) -> OllamaEngine:
    return OllamaEngine(other.url, httpx.AsyncClient(timeout=20), **options)


def chunk(delta: dict, index: int = 0, reason: str | None = None, **more: Any) -> dict:
    return {"choices": [{"index": index, "delta": delta, "finish_reason": reason, **more}]}


USED = {
    "choices": [],
    "usage": {"prompt_tokens": 5, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 3}},
}
OPENAI_TEXT = [chunk({"role": "assistant", "content": ""}), chunk({"content": "Hel"}), chunk({"content": "lo"}),
               chunk({}, reason="stop"), USED]  # fmt: skip
OLLAMA_END = {"done": True, "done_reason": "stop", "prompt_eval_count": 5, "eval_count": 4,
              "load_duration": 2_000_000_000, "total_duration": 5_000_000_000}  # fmt: skip
OLLAMA_TEXT = [{"message": {"content": "Hel"}}, {"message": {"content": "lo"}}, {"message": {}, **OLLAMA_END}]
KINDS: dict[str, tuple[Callable[..., Engine], list[dict]]] = {
    "openai": (openai_engine, OPENAI_TEXT),
    "ollama": (ollama_engine, OLLAMA_TEXT),
}


def ask(**fields: Any) -> GenerationRequest:
    return GenerationRequest("big", (Message("user", "hi"),), **fields)


async def answers(engine: Engine, request: GenerationRequest) -> list[Answer]:
    try:
        return await gathered(engine.generate(request), request.choices)
    finally:
        await engine.close()


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest, other: Other) -> Callable[..., Engine]:
    make, other.pieces = KINDS[request.param]
    return lambda **options: make(other, **options)


async def test_text_and_usage_come_through(kind: Callable[..., Engine], other: Other) -> None:
    answer = (await answers(kind(), ask()))[0]
    assert (answer.text, answer.finish_reason) == ("Hello", "stop")
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (5, 4)
    assert answer.usage.run_s > 0
    if other.pieces is OPENAI_TEXT:
        assert answer.usage.cached_tokens == 3
    else:
        assert (answer.usage.load_s, answer.usage.run_s) == (2, 3)


@pytest.mark.parametrize(
    ("mode", "error"),
    [
        ("400", BadRequest),
        ("401", UpstreamFailed),
        ("403", UpstreamFailed),
        ("404", ModelNotFound),
        ("413", BadRequest),
        ("429", TooBusy),
        ("500", UpstreamFailed),
        ("503", NotReady),
        ("504", DeadlineExceeded),
        ("cut", UpstreamFailed),
        ("garbage", UpstreamFailed),
        ("nonsense", UpstreamFailed),
        ("error", UpstreamFailed),
        ("endless line", UpstreamFailed),
    ],
)
async def test_its_failures_become_ours_without_its_text(
    kind: Callable[..., Engine], other: Other, mode: str, error: type[ServiceError]
) -> None:
    other.mode = mode
    with pytest.raises(error) as caught:
        await answers(kind(), ask())
    assert type(caught.value) is error or mode in ("400", "413")
    assert "secret" not in caught.value.message
    if mode in ("429", "503"):
        assert caught.value.retry_after_s == 7
    if mode == "400":
        assert caught.value.code == "context_length_exceeded"


@pytest.mark.parametrize("mode", ["slow start", "hangs"])
async def test_a_server_that_takes_too_long_is_a_504(
    kind: Callable[..., Engine], other: Other, mode: str
) -> None:
    other.mode = mode
    with pytest.raises(DeadlineExceeded):
        await answers(kind(timeout_s=0.3), ask())


async def test_the_callers_own_deadline_keeps_what_there_is(
    kind: Callable[..., Engine], other: Other
) -> None:
    other.mode = "hangs"
    other.pieces = other.pieces[1:] if other.pieces is OPENAI_TEXT else other.pieces
    answer = (await answers(kind(), ask(timeout_s=0.4)))[0]
    assert (answer.text, answer.finish_reason) == ("Hel", "length")


async def test_leaving_closes_the_connection_at_once(kind: Callable[..., Engine], other: Other) -> None:
    other.mode = "hangs"
    other.pieces = other.pieces[1:] if other.pieces is OPENAI_TEXT else other.pieces
    engine = kind()
    async with aclosing(engine.generate(ask())) as deltas:  # type: ignore[type-var]
        assert (await anext(deltas)).text == "Hel"
        assert engine.queue()["running"] == 1
    assert engine.queue()["running"] == 0
    assert await asyncio.to_thread(other.left.wait, 5)
    await engine.close()


async def test_nobody_there_is_a_502(kind: Callable[..., Engine], other: Other) -> None:
    other.port = 1
    with pytest.raises(UpstreamFailed, match="cannot be reached"):
        await answers(kind(), ask())


async def test_an_openai_server_is_told_everything(other: Other) -> None:
    other.pieces = OPENAI_TEXT
    sampling = Sampling(
        max_tokens=9, temperature=0.1, top_p=0.5, top_k=7, seed=3, stop=("x",), logit_bias={5: -100.0},
        top_logprobs=2, frequency_penalty=0.3, presence_penalty=0.4,
    )  # fmt: skip
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    await answers(openai_engine(other), ask(sampling=sampling, json_schema=schema, tools=(WEATHER,)))
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
    other: Other, forced: tuple[str, ...], parallel: bool, choice: Any
) -> None:
    other.pieces = OPENAI_TEXT
    now = {"type": "function", "function": {"name": "now"}}
    fields = {"answer_prefix": "<tool_call>\n", "json_schema": {"type": "object"}} if forced else {}
    request = ask(tools=(WEATHER, now), forced_tools=forced, parallel_calls=parallel, **fields)
    await answers(openai_engine(other), request)
    told = other.asked[0]
    assert told.get("tool_choice") == choice
    assert told.get("parallel_tool_calls", True) is parallel
    assert "response_format" not in told


async def test_an_openai_servers_calls_scores_and_choices_come_back(other: Other) -> None:
    def call(arguments: str, **more: Any) -> dict:
        return {
            "tool_calls": [
                {"index": 0, "function": {"arguments": arguments, **more.pop("function", {})}, **more}
            ]
        }

    score = {"token": "Hi", "logprob": -0.1, "bytes": None, "top_logprobs": [{"token": "Yo", "logprob": -2}]}
    other.pieces = [
        chunk({"content": "Hi"}, 1, logprobs={"content": [score]}),
        chunk(call("", id="c9", type="function", function={"name": "weather"})),
        chunk(call('{"city": ')),
        chunk(call('"Recife"}')),
        chunk({}, 0, "tool_calls"),
        chunk({}, 1, "length"),
        USED,
    ]
    first, second = await answers(openai_engine(other), ask(choices=2, tools=(WEATHER,)))
    assert first.tool_calls == ({**CALL, "id": "c9"},)
    assert (first.finish_reason, second.finish_reason) == ("tool_calls", "length")
    assert (second.text, second.logprobs[0].logprob, second.logprobs[0].top) == ("Hi", -0.1, (("Yo", -2.0),))
    assert first.usage.completion_tokens + second.usage.completion_tokens == 4
    assert other.asked[0]["n"] == 2


async def test_choices_that_an_openai_server_overlooks_are_asked_for_one_by_one(other: Other) -> None:
    other.pieces = OPENAI_TEXT
    found = await answers(openai_engine(other), ask(choices=3, sampling=Sampling(seed=10)))
    assert [answer.text for answer in found] == ["Hello"] * 3
    assert [(told.get("n"), told["seed"]) for told in other.asked] == [(3, 10), (None, 11), (None, 12)]


async def test_a_plain_text_is_continued_with_its_scores(other: Other) -> None:
    scores = {"tokens": ["a"], "token_logprobs": [-0.5], "top_logprobs": [{"a": -0.5, "b": -1}]}
    other.pieces = [{"choices": [{"index": 0, "text": "a", "logprobs": scores, "finish_reason": "length"}]}]
    request = GenerationRequest("big", prompt="Once", sampling=Sampling(top_logprobs=2))
    answer = (await answers(openai_engine(other), request))[0]
    assert (answer.text, answer.logprobs[0].top) == ("a", (("a", -0.5), ("b", -1.0)))
    assert (other.asked[0]["path"], other.asked[0]["prompt"], other.asked[0]["logprobs"]) == (
        "/v1/completions", "Once", 2,
    )  # fmt: skip


TURNS = (
    Message("user", "\ufffc\nWeather here?", images=(DOT,)),
    Message("assistant", "", tool_calls=(CALL,)),
    Message("tool", "rain", tool_call_id="c1"),
)


async def test_pictures_calls_and_results_are_sent_in_openais_way(other: Other) -> None:
    other.pieces = OPENAI_TEXT
    await answers(openai_engine(other), GenerationRequest("eyes", TURNS))
    user, assistant, tool = other.asked[0]["messages"]
    assert user["content"] == [
        {"type": "image_url", "image_url": {"url": DOT}},
        {"type": "text", "text": "Weather here?"},
    ]
    assert (assistant["content"], assistant["tool_calls"]) == (None, [CALL])
    assert tool == {"role": "tool", "content": "rain", "tool_call_id": "c1"}


async def test_pictures_calls_and_results_are_sent_in_ollamas_way(other: Other) -> None:
    other.pieces = OLLAMA_TEXT
    await answers(ollama_engine(other), GenerationRequest("llava:7b", TURNS, tools=(WEATHER,)))
    user, assistant, tool = other.asked[0]["messages"]
    assert user == {"role": "user", "content": "Weather here?", "images": [DOT.split(",")[1]]}
    assert assistant["tool_calls"] == [{"function": {"name": "weather", "arguments": {"city": "Recife"}}}]
    assert tool == {"role": "tool", "content": "rain", "tool_name": "weather"}
    assert other.asked[0]["tools"] == [WEATHER]


async def test_a_picture_of_the_own_network_is_not_fetched_for_another_server(other: Other) -> None:
    secret = Message("user", "x", images=(f"{other.url}/v1/models",))
    for engine in (openai_engine(other), ollama_engine(other)):
        with pytest.raises(BadRequest):
            await answers(engine, GenerationRequest("eyes", (secret,)))
    assert other.listed == 0


async def test_ollamas_calls_scores_and_options_come_through(other: Other) -> None:
    called = {"function": {"name": "weather", "arguments": {"city": "Recife"}}}
    score = {"token": "Hm", "logprob": -0.2, "top_logprobs": [{"token": "Hm", "logprob": -0.2}]}
    other.pieces = [
        {"message": {"content": "Hm", "thinking": "let me see"}, "logprobs": [score]},
        {"message": {"content": "", "tool_calls": [called, called]}},
        OLLAMA_END,
    ]
    sampling = Sampling(max_tokens=9, seed=3, top_logprobs=1, presence_penalty=0.5)
    answer = (await answers(ollama_engine(other), ask(tools=(WEATHER,), sampling=sampling)))[0]
    assert [json.loads(call["function"]["arguments"]) for call in answer.tool_calls] == [
        {"city": "Recife"}
    ] * 2
    assert len({call["id"] for call in answer.tool_calls}) == 2
    assert (answer.text, answer.finish_reason, answer.logprobs[0].logprob) == ("Hm", "tool_calls", -0.2)
    told = other.asked[0]
    assert (told["logprobs"], told["top_logprobs"]) == (True, 1)
    assert {"num_predict": 9, "seed": 3, "presence_penalty": 0.5}.items() <= told["options"].items()


async def test_a_call_is_forced_on_ollama_by_a_schema(other: Other) -> None:
    other.pieces = OLLAMA_TEXT
    schema = {"type": "object", "properties": {"name": {"const": "weather"}}}
    await answers(ollama_engine(other), ask(tools=(WEATHER,), forced_tools=("weather",), json_schema=schema))
    assert other.asked[0]["format"] == schema
    assert "tools" not in other.asked[0]
    assert '"weather"' in other.asked[0]["messages"][0]["content"]


async def test_ollama_is_asked_for_each_choice_and_refuses_a_logit_bias(other: Other) -> None:
    other.pieces = OLLAMA_TEXT
    found = await answers(ollama_engine(other), ask(choices=3, sampling=Sampling(seed=1)))
    assert [answer.text for answer in found] == ["Hello"] * 3
    assert sorted(told["options"]["seed"] for told in other.asked) == [1, 2, 3]
    with pytest.raises(BadRequest, match="logit_bias"):
        await answers(ollama_engine(other), ask(sampling=Sampling(logit_bias={1: 1.0})))


async def test_which_models_see_is_known(other: Other) -> None:
    openai, ollama = openai_engine(other, seeing=("told",)), ollama_engine(other)
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


async def test_the_list_of_models_is_asked_for_once_in_a_while(other: Other) -> None:
    engine = openai_engine(other)
    found = await asyncio.gather(*(engine.models() for _ in range(20)))
    assert {tuple(m.id for m in models) for models in found} == {("big", "eyes")}
    assert other.listed == 1
    await engine.close()


@pytest.mark.parametrize("mode", ["slow list", "no list", "garbage"])
async def test_a_list_that_does_not_come_costs_half_a_second_once(
    kind: Callable[..., Engine], other: Other, mode: str
) -> None:
    other.mode = mode
    group = EngineGroup([FakeEngine(), kind(), kind()])
    start = time.monotonic()
    assert [m.id for m in await group.models()] == ["fake-chat"]
    first = time.monotonic()
    for _ in range(50):
        await group.models()
    assert first - start < 1.5
    assert time.monotonic() - first < 0.3
    assert len(group.away()) == 2
    assert other.listed == 2
    await group.close()


async def test_a_list_comes_back_when_its_server_does() -> None:
    there = False

    async def models() -> list:
        if not there:
            raise httpx.ConnectError("refused")
        return ["big"]

    listed = ModelList(models, fresh_s=0.0)
    assert await listed.get() == []
    there = True
    for _ in range(100):  # turns of the loop: it is asked behind the scenes
        if await listed.get():
            break
        await asyncio.sleep(0)
    assert (await listed.get(), listed.away) == (["big"], False)
    await listed.close()


@pytest.fixture
def through(other: Other, tmp_path) -> Iterator[Callable[..., TestClient]]:  # type: ignore[no-untyped-def]
    """Return a function that starts svc-chat before the other server."""
    opened: list[TestClient] = []

    def start(make: Callable[..., Engine]) -> TestClient:
        settings = Settings(data_dir=tmp_path, auth="off", allowed_hosts=("testserver",))
        client = TestClient(create_app(settings, EngineGroup([FakeEngine(), make(other)])))
        client.__enter__()
        opened.append(client)
        return client

    yield start
    for client in opened:
        client.__exit__(None, None, None)


HELLO = [{"role": "user", "content": "hi"}]


@pytest.mark.parametrize("which", KINDS)
def test_a_cut_in_mid_stream_reaches_the_caller_as_an_error_event(
    other: Other, through: Callable[..., TestClient], which: str
) -> None:
    make, other.pieces = KINDS[which]
    other.mode = "cut"
    other.pieces = other.pieces[1:] if which == "openai" else other.pieces
    sent = (
        through(make)
        .post("/v1/chat/completions", json={"model": "big", "messages": HELLO, "stream": True})
        .text
    )
    events = [json.loads(line[6:]) for line in sent.splitlines() if line.startswith("data: ")]
    assert events[1]["choices"][0]["delta"]["content"] == "Hel"
    assert events[-1]["error"]["code"] == "upstream_failed"


def test_an_early_refusal_keeps_its_status_and_retry_after(
    other: Other, through: Callable[..., TestClient]
) -> None:
    other.mode = "429"
    for stream in (False, True):
        body = {"model": "big", "messages": HELLO, "stream": stream}
        answer = through(openai_engine).post("/v1/chat/completions", json=body)
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")


def test_a_name_that_an_absent_server_may_have_is_a_503(
    other: Other, through: Callable[..., TestClient]
) -> None:
    other.mode = "no list"
    client = through(ollama_engine)
    assert client.post("/v1/chat/completions", json={"messages": HELLO}).status_code == 200
    answer = client.post("/v1/chat/completions", json={"model": "qwen:4b", "messages": HELLO})
    assert answer.status_code == 503
    assert "ollama" in answer.json()["error"]["message"]
    assert answer.headers["retry-after"]
