"""Ollama and OpenAI-compatible servers as engines, spoken to over HTTP."""

import json
from collections.abc import AsyncIterator

import httpx
import pytest

from servicekit.errors import BadRequest, DeadlineExceeded, TooBusy, UpstreamFailed
from svc_chat.engine.base import Engine, GenerationRequest, Message, Sampling
from svc_chat.engine.fake import FakeEngine
from svc_chat.engine.group import EngineGroup
from svc_chat.engine.ollama import OllamaEngine
from svc_chat.engine.openai_server import OpenAIServerEngine

ASK = GenerationRequest("llama3.2:latest", (Message("user", "oi"),), sampling=Sampling(max_tokens=9, seed=4))


class OllamaServer:
    """A small server that speaks Ollama's API; `fail` makes it misbehave."""

    def __init__(self, fail: str = ""):
        self.fail, self.asked = fail, []

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        if self.fail == "down":
            raise httpx.ConnectError("refused")
        if self.fail == "slow":
            raise httpx.ReadTimeout("slow")
        if request.url.path == "/api/tags":
            return httpx.Response(200, json={"models": [{"name": "llama3.2:latest", "size": 7}]})
        if self.fail.isdigit():
            return httpx.Response(int(self.fail), json={"error": "/secret/path"})
        self.asked.append(json.loads(request.content))
        return httpx.Response(200, content=self.lines())

    async def lines(self) -> AsyncIterator[bytes]:
        for word in ("Olá", ", ", "tudo bem?"):
            yield json.dumps({"message": {"content": word}, "done": False}).encode() + b"\n"
        if self.fail == "midway":
            yield b'{"error": "out of memory"}\n'
        elif self.fail == "garbage":
            yield b"<html>\n"
        end = {"done": True, "done_reason": "stop", "prompt_eval_count": 5, "eval_count": 3}
        yield json.dumps(end).encode() + b"\n"


def ollama(fail: str = "") -> tuple[OllamaEngine, OllamaServer]:
    server = OllamaServer(fail)
    return OllamaEngine("http://ollama", httpx.AsyncClient(transport=httpx.MockTransport(server))), server


async def said(engine: Engine, ask: GenerationRequest = ASK) -> str:
    return "".join([delta.text async for delta in engine.generate(ask)])


async def test_ollama_streams_through_with_our_options() -> None:
    engine, server = ollama()
    deltas = [delta async for delta in engine.generate(ASK)]
    assert "".join(d.text for d in deltas) == "Olá, tudo bem?"
    assert deltas[-1].usage is not None
    assert deltas[-1].usage.completion_tokens == 3
    assert server.asked[0]["options"]["num_predict"] == 9
    assert server.asked[0]["options"]["seed"] == 4


async def test_ollamas_models_are_listed_and_its_absence_is_no_error() -> None:
    assert [m.id for m in await ollama()[0].models()] == ["llama3.2:latest"]
    assert await ollama("down")[0].models() == []


@pytest.mark.parametrize(
    ("fail", "error"),
    [
        ("down", UpstreamFailed),
        ("slow", DeadlineExceeded),
        ("429", TooBusy),
        ("400", BadRequest),
        ("500", UpstreamFailed),
        ("midway", UpstreamFailed),
        ("garbage", UpstreamFailed),
    ],
)
async def test_ollamas_failures_become_ours_without_its_text(fail: str, error: type[Exception]) -> None:
    with pytest.raises(error) as caught:
        await said(ollama(fail)[0])
    assert "secret" not in str(caught.value)


async def test_an_openai_compatible_server_streams_through() -> None:
    def server(request: httpx.Request) -> httpx.Response:
        assert request.headers["authorization"] == "Bearer key"
        if request.url.path.endswith("/models"):
            return httpx.Response(200, json={"data": [{"id": "big"}]})
        pieces = [{"choices": [{"delta": {"content": w}}]} for w in ("a", "b")]
        pieces.append({"choices": [{"delta": {}, "finish_reason": "length"}]})
        pieces.append({"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2}})
        text = "".join(f"data: {json.dumps(p)}\n\n" for p in pieces) + "data: [DONE]\n\n"
        return httpx.Response(200, text=text)

    client = httpx.AsyncClient(transport=httpx.MockTransport(server))
    engine = OpenAIServerEngine("http://other/v1", "key", client)
    assert [m.id for m in await engine.models()] == ["big"]
    deltas = [d async for d in engine.generate(GenerationRequest("big", (Message("user", "x"),)))]
    assert "".join(d.text for d in deltas) == "ab"
    assert deltas[-1].finish_reason == "length"


async def test_a_group_asks_the_engine_that_has_the_model() -> None:
    group = EngineGroup([FakeEngine(), ollama()[0]])
    assert {m.id for m in await group.models()} == {"fake-chat", "llama3.2:latest"}
    assert await said(group) == "Olá, tudo bem?"
    assert await said(group, GenerationRequest("fake-chat", (Message("user", "x"),))) == "echo: x"
