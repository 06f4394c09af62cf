"""Pictures that this system keeps, named by their address in a message: their owner's, and nobody else's."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import jwt
import openai
import pytest
from fastapi.testclient import TestClient
from openai import OpenAI

from servicekit.contract import TestKeys, assert_error
from servicekit.media import OwnMedia
from svc_chat.app import create_app
from svc_chat.engine.fake import FakeDescriber, FakeEngine
from svc_chat.engine.own_pictures import OwnPictures
from svc_chat.settings import Settings

ID, SOUND, GONE = "img_" + "a" * 32, "aud_" + "b" * 32, "img_" + "c" * 32
PATH = f"/media/{ID}"
PNG = b"\x89PNG\r\n\x1a\n and so on"
INLINED = "data:image/png;base64," + base64.b64encode(PNG).decode()
GATEWAY = "http://gateway:8001"


class Gateway:
    """Gives ana's picture and sound to ana; anybody else, and everything else, is 404."""

    def __init__(self) -> None:
        self.status, self.asked = 0, list[httpx.Request]()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        if self.status:
            return httpx.Response(self.status)
        bearer = request.headers["authorization"].partition(" ")[2]
        mine = jwt.decode(bearer, options={"verify_signature": False})["sub"] == "ana"
        kinds = {PATH: "image/png", f"/media/{SOUND}": "audio/wav"}
        if mine and request.url.path in kinds:
            return httpx.Response(200, content=PNG, headers={"content-type": kinds[request.url.path]})
        return httpx.Response(404, json={})


class Seeing(FakeEngine):
    """A model of another server that sees."""

    async def sees(self, model_id: str) -> bool:
        return True

    def away(self) -> list[str]:
        return []


@pytest.fixture
def gateway() -> Gateway:
    return Gateway()


@pytest.fixture
def keys() -> TestKeys:
    return TestKeys()


@pytest.fixture
def eyes() -> FakeDescriber:
    return FakeDescriber()


@pytest.fixture
def serve(tmp_path, gateway: Gateway, keys: TestKeys, eyes: FakeDescriber) -> Iterator[Callable[..., OpenAI]]:  # type: ignore[no-untyped-def]
    """Return a function that starts the service and gives ana's (or another's) official client."""
    opened: list[TestClient] = []

    def start(engine: FakeEngine, user: str = "ana") -> OpenAI:
        hosts = ("testserver", "localhost", "127.0.0.1")
        settings = Settings(data_dir=tmp_path, allowed_hosts=hosts, gateway_url=GATEWAY)
        album = OwnPictures(OwnMedia(GATEWAY, hosts, httpx.MockTransport(gateway)))
        app = create_app(settings, engine, keys.authenticator(settings), describer=eyes, album=album)
        http = TestClient(app)
        http.__enter__()
        opened.append(http)
        return OpenAI(
            base_url="http://testserver/v1", api_key=keys.token(user), http_client=http, max_retries=0
        )

    yield start
    for http in opened:
        http.__exit__(None, None, None)


def asking(url: str) -> list[Any]:
    part = {"type": "image_url", "image_url": {"url": url}}
    return [{"role": "user", "content": [{"type": "text", "text": "What is it?"}, part]}]


def test_the_owners_picture_is_described_and_named_as_it_was_sent(
    serve: Callable[..., OpenAI], gateway: Gateway, eyes: FakeDescriber
) -> None:
    engine = FakeEngine("Nice.")
    ours = (
        PATH, f"{PATH}?token=whatever", f"http://testserver{PATH}", f"http://testserver{PATH}?token=a.b.c",
        f"HTTPS://TESTSERVER{PATH}", f"{GATEWAY}{PATH}", f"http://127.0.0.1:8003{PATH}?token=a.b.c",
        f"http://localhost:8001{PATH}",
    )  # fmt: skip
    client = serve(engine)
    for url in ours:
        answer = client.chat.completions.create(model="fake-chat", messages=asking(url))
        (told,) = answer.image_descriptions  # type: ignore[attr-defined]
        assert told["url"] == url
        assert "[image: a picture called" in engine.requests[-1].messages[0].content
    assert [asked[0] for asked in eyes.asked] == [INLINED] * len(ours)
    assert [str(asked.url) for asked in gateway.asked] == [f"{GATEWAY}{PATH}"] * len(ours)


def test_a_model_that_sees_gets_the_picture_itself(serve: Callable[..., OpenAI]) -> None:
    engine = Seeing("Nice.")
    serve(engine).chat.completions.create(model="fake-chat", messages=asking(f"http://testserver{PATH}"))
    assert engine.requests[0].messages[0].images == (INLINED,)


def test_under_the_address_that_the_gateway_is_reached_at_it_is_ours_too(
    serve: Callable[..., OpenAI], eyes: FakeDescriber
) -> None:
    client = serve(FakeEngine())
    told = {"X-Forwarded-Host": "oficina.example", "X-Forwarded-Proto": "https"}
    url = f"https://oficina.example{PATH}?token=a.b.c"
    client.chat.completions.create(model="fake-chat", messages=asking(url), extra_headers=told)
    assert eyes.asked[0][0] == INLINED


def test_anybody_elses_picture_is_missing_in_the_same_words_as_one_that_is_not_there(
    serve: Callable[..., OpenAI], eyes: FakeDescriber
) -> None:
    said = []
    for user, url in (
        ("bia", PATH),
        ("bia", f"http://testserver{PATH}?token=a.b.c"),
        ("ana", f"/media/{GONE}"),
    ):
        with pytest.raises(openai.NotFoundError) as raised:
            serve(FakeEngine(), user).chat.completions.create(model="fake-chat", messages=asking(url))
        said.append((raised.value.body["message"].replace(GONE, ID), raised.value.param))  # type: ignore[index]
    assert (
        said
        == [(f"There is no media '{ID}', or it was removed after its retention time.", "messages.0.content")]
        * 3
    )
    assert eyes.asked == []


def test_addresses_of_others_are_fetched_as_ever(
    serve: Callable[..., OpenAI], gateway: Gateway, eyes: FakeDescriber
) -> None:
    strangers = (
        f"https://other.example{PATH}", f"https://testserver.evil.example{PATH}", f"http://testserver@evil.example{PATH}",
        f"http://evil.example/?{PATH}", f"ftp://testserver{PATH}", "https://example.org/cat.png", f"//testserver{PATH}",
        f"http://testserver:x@evil.example{PATH}", "http://[::1" + PATH, f"http://testserver/v1{PATH}",
    )  # fmt: skip
    client = serve(FakeEngine())
    for url in strangers:
        client.chat.completions.create(model="fake-chat", messages=asking(url))
    assert [asked[0] for asked in eyes.asked] == list(strangers) and gateway.asked == []


def test_what_is_no_path_of_a_picture_leads_nowhere(serve: Callable[..., OpenAI], gateway: Gateway) -> None:
    client = serve(FakeEngine())
    for path in ("", "x", "../v1/jobs", f"{ID}/../../v1/jobs", "img_1%2f..", "x" * 900):
        with pytest.raises(openai.NotFoundError):
            client.chat.completions.create(model="fake-chat", messages=asking(f"/media/{path}"))
    assert gateway.asked == []


def test_a_sound_is_no_picture(serve: Callable[..., OpenAI]) -> None:
    with pytest.raises(openai.BadRequestError, match="audio/wav") as raised:
        serve(FakeEngine()).chat.completions.create(model="fake-chat", messages=asking(f"/media/{SOUND}"))
    assert raised.value.code == "url_wrong_type"


def test_where_it_cannot_be_read_now_the_answer_says_so(
    serve: Callable[..., OpenAI], gateway: Gateway
) -> None:
    client = serve(FakeEngine())
    for status, ours in ((503, 503), (500, 503), (429, 429), (401, 502), (302, 502)):
        gateway.status = status
        with pytest.raises(openai.APIStatusError) as raised:
            client.chat.completions.create(model="fake-chat", messages=asking(PATH))
        assert (raised.value.status_code, raised.value.param) == (ours, "messages.0.content")


def test_responses_take_it_and_keep_the_address_as_it_was_sent(
    serve: Callable[..., OpenAI], eyes: FakeDescriber
) -> None:
    client, url = serve(FakeEngine("Nice.")), f"http://testserver{PATH}?token=a.b.c"
    part = {"type": "input_image", "image_url": url, "detail": "auto"}
    answer = client.responses.create(input=[{"role": "user", "content": [part]}])  # type: ignore[list-item, misc]
    assert answer.output_text == "Nice." and eyes.asked[0][0] == INLINED
    (kept,) = client.responses.input_items.list(answer.id).data
    assert kept.content[0].image_url == url  # type: ignore[union-attr]
    missing = {**part, "image_url": f"/media/{GONE}"}
    with pytest.raises(openai.NotFoundError, match=GONE):
        client.responses.create(input=[{"role": "user", "content": [missing]}])  # type: ignore[list-item, misc]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_runs_of_assistants_take_it(serve: Callable[..., OpenAI], eyes: FakeDescriber) -> None:
    client = serve(FakeEngine("Nice."))
    assistant = client.beta.assistants.create(model="fake-chat")
    content = asking(f"http://testserver{PATH}")[0]["content"]
    thread = client.beta.threads.create(messages=[{"role": "user", "content": content}])
    run = client.beta.threads.runs.create_and_poll(
        thread_id=thread.id, assistant_id=assistant.id, poll_interval_ms=50
    )
    assert run.status == "completed", run.last_error
    assert eyes.asked[0][0] == INLINED


def test_without_the_gateway_it_is_503(make_client: Callable[..., TestClient], free_gateway: str) -> None:
    client = make_client(FakeEngine(), FakeDescriber(), gateway_url=free_gateway)
    answer = client.post("/v1/chat/completions", json={"messages": asking(PATH)})
    assert answer.status_code == 503 and "retry-after" in answer.headers
    assert_error(answer, "not_ready")


@pytest.fixture
def free_gateway() -> str:
    """An address where nobody answers."""
    from tests.ports import free_port

    return f"http://127.0.0.1:{free_port()}"
