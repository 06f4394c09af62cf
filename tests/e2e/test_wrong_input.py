"""Wrong input is a clear 4xx in the error shape, whichever way it comes."""

from __future__ import annotations

import uuid

import httpx
import pytest

from tests.conftest import Stack
from tests.e2e.conftest import open_client, picture

pytestmark = pytest.mark.e2e
JSON_CALLS = {
    "svc-chat": [("/chat", "user_input"), ("/api/chat", "message"), ("/train", "training_data"),
                 ("/v1/chat/completions", "messages"), ("/v1/completions", "prompt"), ("/v1/personas", "name"),
                 ("/v1/responses", "input")],
    "svc-image-gen": [("/api/generate-image", "prompt"), ("/v1/images/generations", "prompt")],
    "svc-vision": [("/v1/vision/captions", "image_url"), ("/v1/vision/detections", "image_url"),
                   ("/v1/vision/classifications", "image_url"), ("/v1/vision/analysis", "image_url"),
                   ("/v1/vision/questions", "image_url"), ("/v1/vision/texts", "image_url")],
    "svc-translate": [("/v1/translations", "text"), ("/translate", "q"), ("/detect", "q")],
    "svc-tts": [("/v1/audio/speech", "input"), ("/text-to-audio", "text")],
    "svc-rag": [("/ask/question", "question"), ("/v1/search", "query"), ("/v1/embeddings", "input"),
                ("/v1/rerank", "query"), ("/training/train", "training_data")],
}  # fmt: skip
CALLS = [(service, path, field) for service, rows in JSON_CALLS.items() for path, field in rows]
BODIES = {
    "a missing field": lambda field: {"json": {}},
    "a wrong type": lambda field: {"json": {field: 12345}},
    "an empty value": lambda field: {"json": {field: ""}},
    "broken JSON": lambda field: {"content": b"{", "headers": {"Content-Type": "application/json"}},
    "a list": lambda field: {"json": []},
    "a wrong content type": lambda field: {"content": b"hello", "headers": {"Content-Type": "text/plain"}},
}


def assert_clear_refusal(answer: httpx.Response) -> None:
    """Check that `answer` is a 4xx in the error shape that says something."""
    assert 400 <= answer.status_code < 500, answer.text[:300]
    error = answer.json()["error"]
    assert error.keys() == {"message", "type", "param", "code"}
    assert error["message"]


@pytest.mark.parametrize("wrong", BODIES)
@pytest.mark.parametrize(("service", "path", "field"), CALLS, ids=[path for _, path, _ in CALLS])
def test_a_wrong_body_is_a_clear_4xx(
    stack: Stack, way: str, service: str, path: str, field: str, wrong: str
) -> None:
    with open_client(stack, way, service) as client:
        assert_clear_refusal(client.post(path, **BODIES[wrong](field)))


@pytest.mark.parametrize("service", JSON_CALLS)
def test_an_oversized_body_is_a_clear_4xx(stack: Stack, way: str, service: str) -> None:
    path, field = JSON_CALLS[service][0]
    with open_client(stack, way, service) as client:
        assert_clear_refusal(client.post(path, json={field: "x" * 52_500_000}))


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8001/healthz",
        "http://[::ffff:127.0.0.1]/x.png",
        "http://169.254.169.254/latest",
        "file:///etc/passwd",
        "http://no-such-host.invalid/x.png",
        "data:text/plain,hello",
        "data:image/png;base64,AAAA",
        "not a url",
    ],
)
def test_an_unreachable_or_forbidden_url_is_a_clear_4xx(stack: Stack, way: str, url: str) -> None:
    with open_client(stack, way, "svc-vision") as client:
        assert_clear_refusal(client.post("/v1/vision/captions", json={"image_url": url}))


@pytest.mark.parametrize(
    "change",
    [
        {"n": 99},
        {"temperature": 3},
        {"stop": ["x"] * 40},
        {"logit_bias": {"word": 1}},
        {"tool_choice": "required"},
        {"response_format": {"type": "xml"}},
        {"store": True},
        {"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]},
        {"messages": [{"role": "tool", "tool_call_id": "x", "content": "y"}]},
        {"model": "no-such-model"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_wrong_field_of_a_chat_is_a_clear_4xx(stack: Stack, way: str, change: dict) -> None:
    body = {"messages": [{"role": "user", "content": "x"}], **change}
    with open_client(stack, way, "svc-chat") as client:
        assert_clear_refusal(client.post("/v1/chat/completions", json=body))


def test_what_is_not_a_picture_or_a_document_is_refused(stack: Stack, way: str) -> None:
    with open_client(stack, way, "svc-vision") as client:
        for content in (b"", b"hello", picture()[:100]):
            files = {"image": ("x.png", content, "image/png")}
            assert 400 <= client.post("/v1/vision/captions", files=files).status_code < 500
            assert 400 <= client.post("/upload_image", files=files).status_code < 500
        assert 400 <= client.post("/upload_image", files={"other": ("x.png", picture())}).status_code < 500
    with open_client(stack, way, "svc-rag") as client:
        for name, content in (("x.exe", b"MZ"), ("x.txt", b""), ("x.pdf", b"%PDF-1.4 broken")):
            sent = client.post("/v1/documents", files={"file": (name, content)})
            assert 400 <= sent.status_code < 500 or sent.status_code == 202, sent.text


@pytest.mark.parametrize("service", [*JSON_CALLS, "gateway"])
def test_no_port_answers_without_credentials(stack: Stack, service: str) -> None:
    with stack.client(service, key="ofi_wrong") as client:
        for path in ("/v1/models", "/v1/jobs", "/v1/catalogue"):
            assert client.get(path).status_code == 401, path


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/responses/resp_none"),
        ("GET", "/v1/responses/resp_none?stream=true"),
        ("DELETE", "/v1/responses/resp_none"),
        ("POST", "/v1/responses/resp_none/cancel"),
        ("GET", "/v1/responses/resp_none/input_items"),
        ("GET", "/v1/conversations/conv_none"),
        ("DELETE", "/v1/conversations/conv_none"),
        ("GET", "/v1/conversations/conv_none/items"),
        ("GET", "/v1/conversations/conv_none/items/msg_none"),
        ("DELETE", "/v1/conversations/conv_none/items/msg_none"),
    ],
)
def test_an_unknown_id_is_a_404(stack: Stack, way: str, method: str, path: str) -> None:
    with open_client(stack, way, "svc-chat") as client:
        answer = client.request(method, path)
    assert answer.status_code == 404
    assert_clear_refusal(answer)


def test_another_user_s_conversation_and_answer_are_as_unknown(stack: Stack, way: str) -> None:
    with stack.client() as owner:
        conversation = owner.post(
            "/v1/conversations", json={"items": [{"role": "user", "content": "a"}]}
        ).json()
        answer = owner.post("/v1/responses", json={"input": "Hello!", "max_output_tokens": 5}).json()
        item = owner.get(f"/v1/conversations/{conversation['id']}/items").json()["first_id"]
        name = f"rui-{uuid.uuid4().hex[:8]}"
        body = {"username": name, "password": "a long enough password"}
        assert owner.post("/auth/users", json={**body, "role": "member"}).status_code < 300
        login = owner.post("/auth/login", json=body)
    one, kept = f"/v1/conversations/{conversation['id']}", f"/v1/responses/{answer['id']}"
    with open_client(stack, way, "svc-chat") as client:
        client.headers["Authorization"] = f"Bearer {login.json()['access_token']}"
        for method, path in [
            ("GET", one), ("DELETE", one), ("GET", f"{one}/items"), ("GET", f"{one}/items/{item}"),
            ("DELETE", f"{one}/items/{item}"), ("GET", kept), ("GET", f"{kept}?stream=true"), ("DELETE", kept),
            ("POST", f"{kept}/cancel"), ("GET", f"{kept}/input_items"),
        ]:  # fmt: skip
            assert client.request(method, path).status_code == 404, (method, path)
