"""The HTTP behaviour of svc-translate with a fake engine."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from svc_translate.app import create_app
from svc_translate.engine.fake import FakeEngine
from svc_translate.settings import Settings


@pytest.fixture
def make_client(tmp_path: Path) -> Iterator[Callable[..., TestClient]]:
    opened: list[TestClient] = []

    def make(engine: FakeEngine | None = None, **settings: object) -> TestClient:
        chosen = Settings(data_dir=tmp_path, auth="off", allowed_hosts=("testserver",), **settings)
        client = TestClient(create_app(chosen, engine or FakeEngine()))
        client.__enter__()
        opened.append(client)
        return client

    yield make
    for client in opened:
        client.__exit__(None, None, None)


@pytest.fixture
def client(make_client: Callable[..., TestClient]) -> TestClient:
    return make_client()


def test_a_text_comes_back_translated_with_how_it_was_made(client: TestClient) -> None:
    answer = client.post("/v1/translations", json={"text": "a red circle", "target": "pt"}).json()
    (made,) = answer["translations"]
    assert made["text"] == "um vermelho círculo"
    assert (made["source"], made["target"], made["model"]) == ("en", "pt", "fake")
    assert set(answer["timing"]) == {"queue_ms", "load_ms", "run_ms"}
    assert answer["device"] == "cpu"


def test_a_list_keeps_its_order_and_each_text_its_language(client: TestClient) -> None:
    body = {"text": ["um círculo azul", "hello"], "target": "en", "source": "auto"}
    made = client.post("/v1/translations", json=body).json()["translations"]
    assert [row["text"] for row in made] == ["a circle blue", "hello"]
    assert [row["source"] for row in made] == ["pt", "en"]


def test_paragraphs_and_line_breaks_are_kept(client: TestClient) -> None:
    body = {"text": "a circle.\n\n  a red square\n", "source": "en", "target": "pt-BR"}
    made = client.post("/v1/translations", json=body).json()["translations"][0]
    assert made["text"] == "um círculo.\n\n  um vermelho quadrado\n"


def test_the_same_language_gives_the_text_unchanged(client: TestClient) -> None:
    body = {"text": " olá,  mundo ", "source": "pt-BR", "target": "pt"}
    made = client.post("/v1/translations", json=body).json()["translations"][0]
    assert made["text"] == " olá,  mundo "
    assert made["model"] is None


def test_the_directions_are_listed(client: TestClient) -> None:
    rows = client.get("/v1/translations/languages").json()["data"]
    assert {"source": "en", "target": "pt", "model": "fake"} in rows


@pytest.mark.parametrize(
    ("body", "status", "code", "param"),
    [
        ({"target": "pt"}, 400, "invalid_request", "text"),
        ({"text": "a"}, 400, "invalid_request", "target"),
        ({"text": 5, "target": "pt"}, 400, "invalid_request", "text"),
        ({"text": "  \n", "target": "pt"}, 400, "empty_text", "text"),
        ({"text": [], "target": "pt"}, 400, "empty_text", "text"),
        ({"text": ["hello", ""], "target": "pt"}, 400, "empty_text", "text.1"),
        ({"text": "hello", "target": "xx"}, 400, "unknown_language", "target"),
        ({"text": "hello", "source": "klingon", "target": "pt"}, 400, "unknown_language", "source"),
        ({"text": "hola amigos, qué tal están", "target": "pt"}, 400, "pair_not_available", "target"),
        ({"text": "123 !!", "target": "pt"}, 400, "language_not_detected", "text"),
        ({"text": "hello", "target": "pt", "model": "gone"}, 404, "model_not_found", "model"),
        ({"text": "a" * 101, "target": "pt"}, 413, "text_too_long", "text"),
        ({"text": ["a"] * 129, "target": "pt"}, 400, "invalid_value", "text"),
    ],
)
def test_a_wrong_request_is_a_clear_4xx(
    make_client: Callable[..., TestClient], body: dict, status: int, code: str, param: str
) -> None:
    answer = make_client(max_chars=100 if code == "text_too_long" else 1000).post(
        "/v1/translations", json=body
    )
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert (error["code"], error["param"]) == (code, param)


def test_an_unknown_language_names_what_is_there(client: TestClient) -> None:
    error = client.post("/v1/translations", json={"text": "hello", "target": "xx"}).json()["error"]
    assert "en, pt" in error["message"]


def test_a_full_queue_is_a_429_that_says_when_to_try_again(make_client: Callable[..., TestClient]) -> None:
    answer = make_client(FakeEngine(full=True)).post(
        "/v1/translations", json={"text": "hello", "target": "pt"}
    )
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) >= 1


def test_libretranslate_clients_get_their_shape(client: TestClient) -> None:
    answer = client.post("/translate", json={"q": "a red circle", "source": "auto", "target": "pt"}).json()
    assert answer["translatedText"] == "um vermelho círculo"
    assert answer["detectedLanguage"]["language"] == "en"
    assert 0 < answer["detectedLanguage"]["confidence"] <= 100
    fixed = client.post("/translate", json={"q": ["a", "red"], "source": "en", "target": "pt"}).json()
    assert fixed == {"translatedText": ["um", "vermelho"]}


def test_libretranslate_forms_are_read_too(client: TestClient) -> None:
    answer = client.post("/translate", data={"q": "red", "source": "en", "target": "pt"})
    assert answer.json() == {"translatedText": "vermelho"}


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"content": b"{", "headers": {"content-type": "application/json"}}, 400),
        ({"content": b"[]", "headers": {"content-type": "application/json"}}, 400),
        ({"content": b"q=a", "headers": {"content-type": "text/plain"}}, 415),
        ({"json": {"q": "hello"}}, 400),
        ({"json": {"q": "", "source": "en", "target": "pt"}}, 400),
        ({"json": {"q": "hello", "source": "en", "target": "pt", "format": "html"}}, 400),
    ],
)
def test_libretranslates_wrong_bodies_are_clear_4xx(client: TestClient, options: dict, status: int) -> None:
    answer = client.post("/translate", **options)
    assert answer.status_code == status
    assert answer.json()["error"]["message"]


def test_a_language_is_detected(client: TestClient) -> None:
    ranked = client.post("/detect", json={"q": "um círculo vermelho"}).json()
    assert ranked[0]["language"] == "pt"
    assert ranked[0]["confidence"] > 50


def test_languages_are_listed_with_their_targets(client: TestClient) -> None:
    rows = client.get("/languages").json()
    assert {"code": "pt", "name": "Portuguese", "targets": ["en", "pt"]} in rows


def test_the_catalogue_flags_models_that_are_not_for_commerce(client: TestClient) -> None:
    rows = {row["id"]: row for row in client.get("/v1/catalogue").json()["data"]}
    assert rows["nllb-200-distilled-600M"]["noncommercial"] is True
    assert rows["m2m100_418M"]["license"] == "MIT"
