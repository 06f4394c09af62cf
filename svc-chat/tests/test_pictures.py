"""Pictures in a chat: words in their place for models that cannot see, themselves for those that do."""

import json
from collections.abc import AsyncIterator, Callable

import httpx
import pytest
from fastapi.testclient import TestClient

from servicekit.contract import TestKeys, assert_error
from servicekit.contract.corpus import internal_urls
from servicekit.contract.inside import canary
from servicekit.errors import BadRequest, NoModel, NotReady, ServiceError, TooBusy, UpstreamFailed
from svc_chat.app import create_app
from svc_chat.domain.conversation import composed, told
from svc_chat.engine.base import Delta, GenerationRequest, Message
from svc_chat.engine.fake import FakeDescriber, FakeEngine
from svc_chat.engine.picture_parts import fetched, parts
from svc_chat.engine.vision_service import VisionService
from svc_chat.settings import Settings

Make = Callable[..., TestClient]
DOT = "data:image/png;base64,iVBORw0KGgo="
CAT, DOG = "https://example.org/cat.png", "https://example.org/dog.png"


def picture(url: str) -> dict:
    return {"type": "image_url", "image_url": {"url": url, "detail": "low"}}


def text(words: str) -> dict:
    return {"type": "text", "text": words}


def ask(*parts: dict, **more: object) -> dict:
    return {"messages": [{"role": "user", "content": list(parts)}], **more}


def test_a_picture_is_described_in_its_place_and_the_answer_says_so(make_client: Make) -> None:
    engine, eyes = FakeEngine("Nice."), FakeDescriber()
    body = ask(text("First:"), picture(CAT), text("then:"), picture(DOG), text("Which is it?"))
    answer = make_client(engine, eyes).post("/v1/chat/completions", json=body).json()
    assert engine.requests[0].messages[0].content == (
        "First:\n[image: a picture called cat.png]\nthen:\n[image: a picture called dog.png]\nWhich is it?"
    )
    assert engine.requests[0].messages[0].images == ()
    assert answer["image_descriptions"] == [
        {"url": CAT, "text": "a picture called cat.png", "model": "fake-eyes"},
        {"url": DOG, "text": "a picture called dog.png", "model": "fake-eyes"},
    ]
    assert answer["choices"][0]["message"]["content"] == "Nice."


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("[2] A red circle.", "A red circle."),
        ("A red circle [2].", "A red circle [2]."),
        ("[2]", ""),
        ("[see] A red circle.", "[see] A red circle."),
        ("[12", "[12"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_about_a_picture_begins_with_no_mark_of_a_passage(
    make_client: Make, written: str, said: str, stream: bool
) -> None:
    client = make_client(FakeEngine(written), FakeDescriber())
    sent = client.post("/v1/chat/completions", json=ask(picture(DOT), stream=stream))
    if not stream:
        assert sent.json()["choices"][0]["message"]["content"] == said
        return
    chunks = [json.loads(line[6:]) for line in sent.text.splitlines() if line.startswith("data: {")]
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    assert "".join(choice["delta"].get("content") or "" for choice in choices) == said
    assert choices[-1]["finish_reason"] == "stop"


def test_the_mark_of_a_passage_that_stands_beside_a_picture_stays(make_client: Make) -> None:
    client = make_client(FakeEngine("[1] A circle."), FakeDescriber())
    body = ask(text("Passages:\n[1] A circle is round."), picture(DOT))
    answer = client.post("/v1/chat/completions", json=body).json()
    assert answer["choices"][0]["message"]["content"] == "[1] A circle."


def test_a_stream_tells_of_descriptions_beside_its_last_choice(make_client: Make) -> None:
    body = ask(picture(DOT), stream=True)
    sent = make_client(FakeEngine(), FakeDescriber()).post("/v1/chat/completions", json=body).text
    chunks = [json.loads(line[6:]) for line in sent.splitlines() if line.startswith("data: {")]
    assert [chunk["image_descriptions"][0]["url"] for chunk in chunks if "image_descriptions" in chunk] == [
        "data:image/png;base64"
    ]


def test_a_picture_that_comes_twice_is_looked_at_once(make_client: Make) -> None:
    eyes = FakeDescriber()
    body = {"messages": [{"role": "user", "content": [picture(CAT)]}] * 3}
    make_client(FakeEngine(), eyes).post("/v1/chat/completions", json=body)
    assert [asked[0] for asked in eyes.asked] == [CAT]


def test_pictures_are_looked_at_in_the_callers_name(tmp_path) -> None:  # type: ignore[no-untyped-def]
    keys, eyes = TestKeys(), FakeDescriber()
    settings = Settings(data_dir=tmp_path, allowed_hosts=("testserver",))
    app = create_app(settings, FakeEngine(), keys.authenticator(settings), describer=eyes)
    headers = keys.headers("ana")
    with TestClient(app) as client:
        assert client.post("/v1/chat/completions", json=ask(picture(CAT)), headers=headers).status_code == 200
    assert eyes.asked[0][1] == headers


@pytest.mark.parametrize(
    ("error", "status"),
    [(NotReady("No eyes."), 503), (BadRequest("No cat.", param="messages.0.content"), 400)],
)
@pytest.mark.parametrize("stream", [False, True])
def test_what_hinders_seeing_is_the_answers_error(
    make_client: Make, error: ServiceError, status: int, stream: bool
) -> None:
    client = make_client(FakeEngine(), FakeDescriber(error))
    answer = client.post("/v1/chat/completions", json=ask(picture(CAT), stream=stream))
    assert answer.status_code == status
    assert_error(answer)
    assert answer.json()["error"]["message"] == error.message


def test_without_anybody_to_look_pictures_are_refused(make_client: Make) -> None:
    answer = make_client(FakeEngine(), vision_url="").post("/v1/chat/completions", json=ask(picture(CAT)))
    assert answer.status_code == 400
    assert "VISION_URL" in answer.json()["error"]["message"]


async def test_that_nothing_describes_pictures_is_passed_on_as_what_waiting_does_not_mend() -> None:
    told = {"error": {"message": "No model for caption is installed.", "code": "no_model", "param": None}}
    transport = httpx.MockTransport(lambda _: httpx.Response(503, json=told))
    eyes = VisionService("http://vision", httpx.AsyncClient(transport=transport))
    with pytest.raises(NoModel, match="No model for caption is installed") as raised:
        await eyes.describe(DOT, {}, "messages.0.content")
    assert (raised.value.param, raised.value.retry_after_s) == ("messages.0.content", None)


@pytest.mark.parametrize(
    ("part", "says"),
    [
        ({"type": "input_audio", "input_audio": {"data": "x", "format": "wav"}}, "Speech"),
        ({"type": "file", "file": {"file_id": "f"}}, "/v1/documents"),
        ({"type": "video_url", "video_url": {"url": "x"}}, "single pictures"),
        ({"type": "hologram"}, "'hologram'"),
        ({"type": "image_url"}, "image_url.url"),
        ({"type": "image_url", "image_url": {"url": " "}}, "image_url.url"),
        ({"type": "text"}, "must be text"),
        ({"type": "text", "text": 7}, "must be text"),
        ({}, "None"),
    ],
)
def test_parts_that_nothing_reads_are_a_clear_400(make_client: Make, part: dict, says: str) -> None:
    answer = make_client(FakeEngine(), FakeDescriber()).post(
        "/v1/chat/completions", json=ask(text("a"), part)
    )
    assert answer.status_code == 400
    assert says in answer.json()["error"]["message"]
    assert answer.json()["error"]["param"] == "messages.0.content.1"


def test_a_picture_in_another_role_and_too_many_are_refused(make_client: Make) -> None:
    client = make_client(FakeEngine(), FakeDescriber())
    system = {"messages": [{"role": "system", "content": [picture(CAT)]}, {"role": "user", "content": "x"}]}
    assert client.post("/v1/chat/completions", json=system).status_code == 400
    many = ask(*[picture(f"{CAT}?{n}") for n in range(17)])
    assert "17 pictures" in client.post("/v1/chat/completions", json=many).json()["error"]["message"]


class SeeingEngine(FakeEngine):
    async def sees(self, model_id: str) -> bool:
        return True

    def away(self) -> tuple[str, ...]:
        return ()

    async def generate(self, request: GenerationRequest) -> AsyncIterator[Delta]:
        async for delta in super().generate(request):
            yield delta


def test_a_model_that_sees_gets_the_pictures_themselves(make_client: Make) -> None:
    engine, eyes = SeeingEngine(), FakeDescriber()
    answer = make_client(engine, eyes).post("/v1/chat/completions", json=ask(text("a"), picture(CAT))).json()
    assert engine.requests[0].messages[0].images == (CAT,)
    assert eyes.asked == []
    assert "image_descriptions" not in answer


def test_words_take_the_places_of_pictures_or_follow_the_text() -> None:
    content, images = composed(["a\ufffc", None, "b"], [CAT])
    assert told(Message("user", content, images=images), ["x"]).content == "a\n[image: x]\nb"
    assert (
        told(Message("user", "look", images=(CAT, DOG)), ["x", "y"]).content == "look\n[image: x]\n[image: y]"
    )


def test_pictures_keep_their_places_among_the_parts() -> None:
    content, _ = composed(["a", None, "b"], [CAT])
    kinds = [part["type"] for part in parts(content, [("image/png", "AAAA")])]
    assert kinds == ["text", "image_url", "text"]
    assert [part["type"] for part in parts("a", [("image/png", "AAAA")])] == ["text", "image_url"]


def vision(answer: httpx.Response | Exception) -> tuple[VisionService, list[httpx.Request]]:
    asked: list[httpx.Request] = []

    def server(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return VisionService("http://vision", httpx.AsyncClient(transport=httpx.MockTransport(server))), asked


SEEN = httpx.Response(200, json={"text": "a red\ncircle ", "model": "oficina-caption"})


async def test_svc_vision_is_asked_as_the_caller_and_remembered_for_data_urls() -> None:
    eyes, asked = vision(SEEN)
    bearer = {"Authorization": "Bearer t"}
    seen = await eyes.describe(DOT, bearer, "messages.0.content")
    assert (seen.text, seen.model, seen.url) == ("a red circle", "oficina-caption", DOT)
    assert str(asked[0].url) == "http://vision/v1/vision/captions"
    assert json.loads(asked[0].content) == {"image_url": DOT}
    assert asked[0].headers["authorization"] == "Bearer t"
    assert await eyes.describe(DOT, bearer, "messages.2.content") == seen
    assert len(asked) == 1
    await eyes.describe(CAT, bearer, "x")
    await eyes.describe(CAT, bearer, "x")
    assert len(asked) == 3


def refused(status: int, code: str = "url_not_allowed") -> httpx.Response:
    return httpx.Response(
        status, json={"error": {"message": "That URL.", "code": code, "param": "image_url"}}
    )


@pytest.mark.parametrize(
    ("answer", "error", "says"),
    [
        (httpx.ConnectError("refused"), NotReady, "svc-vision"),
        (httpx.ReadTimeout("slow"), NotReady, "svc-vision"),
        (refused(503), NotReady, "not ready"),
        (refused(429), TooBusy, "busy"),
        (refused(500), UpstreamFailed, "status 500"),
        (refused(401), UpstreamFailed, "status 401"),
        (refused(400), BadRequest, "That URL."),
        (refused(413), BadRequest, "That URL."),
        (httpx.Response(400, text="<html>"), BadRequest, "cannot be read"),
        (httpx.Response(200, text="<html>"), UpstreamFailed, "cannot be used"),
        (httpx.Response(200, json={"model": "x"}), UpstreamFailed, "cannot be used"),
    ],
)
async def test_svc_visions_failures_are_told_as_ours(
    answer: httpx.Response | Exception, error: type[ServiceError], says: str
) -> None:
    eyes, _ = vision(answer)
    with pytest.raises(error, match=says) as caught:
        await eyes.describe(CAT, {}, "messages.3.content")
    assert caught.value.param == "messages.3.content"
    if isinstance(answer, httpx.Response) and answer.status_code == 413:
        assert caught.value.code == "url_not_allowed"


async def test_no_picture_of_a_message_is_fetched_from_inside() -> None:
    with canary() as (port, visits):
        for url in internal_urls(port):
            with pytest.raises(BadRequest):
                await fetched([Message("user", "x", images=(url,))], ())
    assert visits == []
