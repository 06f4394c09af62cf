"""A model that does something else: what it does is said, and which call takes it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import openai
import pytest
from fastapi.testclient import TestClient
from openai import OpenAI

from servicekit.contract import TestKeys
from servicekit.errors import ModelNotFound
from svc_chat.app import create_app
from svc_chat.domain.other_tasks import wrong_task
from svc_chat.domain.service import ChatService
from svc_chat.engine.base import OtherModel
from svc_chat.engine.fake import FakeEngine
from svc_chat.engine.gateway_models import MISSED_S, MISSES, GatewayModels
from svc_chat.settings import Settings

HERE = {
    "oficina-draw": ["image"],
    "dall-e-3": ["image"],
    "me/florence": ["caption", "ocr"],
    "other-chat": ["chat"],
    "chats-here": ["chat"],
}
CATALOGUE = [
    {"id": "sd-turbo", "repo": "stabilityai/sd-turbo", "tasks": ["image"]},
    {"id": "taesd", "repo": "madebyollin/taesd", "tasks": ["image-decoder"]},
    {"id": "big-chat", "repo": "me/big-chat", "tasks": ["chat"]},
    {"id": "chats-here", "repo": "me/chats-here", "tasks": ["image"]},
    {"id": "small-in-browsers", "repo": "me/small", "tasks": ["browser-text"]},
    {"id": "both-in-browsers", "repo": "me/both", "tasks": ["browser-text"]},
    {"id": "both", "repo": "me/both", "tasks": ["image"]},
]
HELLO: list[Any] = [{"role": "user", "content": "hello"}]


class Gateway:
    """Lists models to whom it knows."""

    def __init__(self) -> None:
        self.asked: list[httpx.Request] = []
        self.answer: Callable[[httpx.Request], httpx.Response] = self.listed

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        return self.answer(request)

    def listed(self, request: httpx.Request) -> httpx.Response:
        assert request.headers["authorization"].startswith("Bearer ")
        if request.url.path == "/v1/catalogue":
            words = request.url.params["q"]
            return httpx.Response(200, json={"data": [e for e in CATALOGUE if words in str(e)]})
        tasks = HERE.get(request.url.path.removeprefix("/v1/models/"))
        return (
            httpx.Response(200, json={"tasks": tasks}) if tasks else httpx.Response(404, json={"error": {}})
        )


@pytest.fixture(scope="module")
def everybodys() -> Gateway:
    return Gateway()


@pytest.fixture
def gateway(everybodys: Gateway) -> Gateway:
    everybodys.asked.clear()
    everybodys.answer = everybodys.listed
    return everybodys


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory, everybodys: Gateway) -> Iterator[OpenAI]:
    keys, gateway = TestKeys(), everybodys
    settings = Settings(data_dir=tmp_path_factory.mktemp("chat"), allowed_hosts=("testserver",))
    known = GatewayModels("http://gateway", httpx.MockTransport(gateway))
    app = create_app(settings, FakeEngine(), keys.authenticator(settings), neighbours=known)
    with TestClient(app) as http:
        yield OpenAI(base_url="http://testserver/v1", api_key=keys.token(), http_client=http, max_retries=0)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("oficina-draw", "does image, not chat: send it to POST /v1/images/generations. Models for chat: fake-chat"),
        ("dall-e-3", "does image, not chat: send it to POST /v1/images/generations"),
        ("me/florence", "does caption, ocr, not chat: send it to POST /v1/vision/captions or POST /v1/vision/texts"),
        ("sd-turbo", r"POST /v1/images/generations. It is not installed \(POST /v1/models/install\)"),
        ("stabilityai/sd-turbo", "does image, not chat"),
        ("me/both", "does image, not chat"),
        ("taesd", r"does image-decoder, not chat. It is not installed"),
    ],
)  # fmt: skip
def test_it_is_said_what_the_model_does_and_which_call_takes_it(client: OpenAI, name: str, says: str) -> None:
    calls: list[Callable[[], Any]] = [
        lambda: client.chat.completions.create(model=name, messages=HELLO),
        lambda: client.completions.create(model=name, prompt="hello"),
        lambda: client.responses.create(model=name, input="hello"),
        lambda: client.beta.assistants.create(model=name),
    ]
    for call in calls:
        with pytest.raises(openai.BadRequestError, match=says) as raised:
            call()
        assert (raised.value.code, raised.value.param) == ("wrong_task", "model")


@pytest.mark.parametrize(
    "name",
    [
        "nope",
        "other-chat",
        "big-chat",
        "chats-here",
        "me/small",
        "x" * 190,
        "a\\b",
        "../../auth/keys",
        "a//b",
        "é",
    ],  # fmt: skip
)
def test_what_nobody_has_or_what_chats_is_not_found_as_ever(
    client: OpenAI, gateway: Gateway, name: str
) -> None:
    with pytest.raises(openai.NotFoundError, match="is not installed") as raised:
        client.chat.completions.create(model=name, messages=HELLO)
    assert raised.value.code == "model_not_found"


def test_nobody_is_asked_about_a_model_that_is_here(client: OpenAI, gateway: Gateway) -> None:
    for name in ("fake-chat", "gpt-4o"):
        client.chat.completions.create(model=name, messages=HELLO)
    assert gateway.asked == []


@pytest.mark.parametrize(
    "answer",
    [
        httpx.ConnectError("away"),
        httpx.ReadTimeout("slow"),
        httpx.Response(401, json={}),
        httpx.Response(500, text="<html>"),
        httpx.Response(200, text="<html>"),
        httpx.Response(200, json=[1]),
        httpx.Response(200, json={"tasks": "image", "data": {"a": 1}}),
        httpx.Response(200, json={"tasks": [], "data": [1, None, {"id": "nope"}]}),
    ],
)
def test_while_nobody_can_tell_it_is_not_found(
    client: OpenAI, gateway: Gateway, answer: httpx.Response | Exception
) -> None:
    def told(_: httpx.Request) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer.status_code, content=answer.content, headers={"content-type": "x"})

    gateway.answer = told
    with pytest.raises(openai.NotFoundError, match="is not installed"):
        client.chat.completions.create(model=f"nope-{id(answer)}", messages=HELLO)
    assert gateway.asked


async def test_a_name_that_nobody_has_is_asked_for_again_a_while_later_or_by_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gateway, now = Gateway(), 1000.0
    monkeypatch.setattr("svc_chat.engine.gateway_models.time.monotonic", lambda: now)
    models = GatewayModels("http://gateway", httpx.MockTransport(gateway))
    ana, rui = {"authorization": "Bearer a"}, {"authorization": "Bearer r"}

    async def asked(name: str, bearer: dict[str, str]) -> int:
        gateway.asked.clear()
        assert await models.find(name, bearer) is None
        return len(gateway.asked)

    assert [await asked("nope", bearer) for bearer in (ana, ana, rui, rui)] == [2, 0, 2, 0]
    now += MISSED_S
    assert await asked("nope", ana) == 2
    for number in range(MISSES):
        await asked(f"nope-{number}", ana)
    assert await asked("nope", ana) == 2 and len(models._missed) == MISSES
    await models.close()


async def test_nobody_is_asked_about_a_default_that_is_gone() -> None:
    gateway = Gateway()
    models = GatewayModels("http://gateway", httpx.MockTransport(gateway))
    records: Any = None
    service = ChatService(FakeEngine(), records, aliases={}, default="gone", max_tokens=9, neighbours=models)
    with pytest.raises(ModelNotFound):
        await service.resolve(None, "ana", {"authorization": "Bearer a"})
    assert gateway.asked == []
    await models.close()


def test_a_long_name_is_cut_in_the_message() -> None:
    error = wrong_task(OtherModel("x" * 500, ("image",), True), ["a"])
    assert len(error.message) < 250
