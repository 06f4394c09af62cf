"""The HTTP behaviour of svc-vision with a fake engine."""

import base64
import io
import threading
from collections.abc import Callable
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from svc_vision.engine.fake import FakeEngine

TASKS = ("captions", "detections", "classifications", "analysis", "texts")


def upload(client: TestClient, path: str, content: bytes, **fields: str) -> Any:
    return client.post(path, files={"image": ("a.png", content, "image/png")}, data=fields)


def data_url(content: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(content).decode()}"


def test_a_picture_is_captioned_and_tells_how(client: TestClient, red_png: bytes) -> None:
    answer = upload(client, "/v1/vision/captions", red_png).json()
    assert answer["captions"] == [{"text": "a red picture", "language": "en"}]
    assert answer["text"] == "a red picture"
    assert (answer["model"], answer["device"]) == ("fake-captioner", "cpu")
    assert set(answer["timing"]) == {"queue_ms", "load_ms", "run_ms"}


def test_a_picture_is_kept_for_a_page_that_may_not_load_it_from_where_it_is(
    client: TestClient, red_png: bytes
) -> None:
    kept = client.post("/v1/vision/pictures", json={"image_url": data_url(red_png)}).json()
    shown = client.get(kept["image_url"])
    assert shown.headers["content-type"] == "image/png"
    picture = Image.open(io.BytesIO(shown.content))
    assert picture.size == (kept["width"], kept["height"])
    assert list(picture.getdata()) == list(Image.open(io.BytesIO(red_png)).convert("RGB").getdata())


def test_what_is_no_picture_is_not_kept(client: TestClient) -> None:
    answer = client.post("/v1/vision/pictures", json={"image_url": data_url(b"<svg onload=alert(1)>")})
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "invalid_image"


@pytest.mark.parametrize("task", TASKS)
def test_a_data_url_does_what_an_upload_does(client: TestClient, red_png: bytes, task: str) -> None:
    by_file = upload(client, f"/v1/vision/{task}", red_png).json()
    by_url = client.post(f"/v1/vision/{task}", json={"image_url": data_url(red_png)}).json()
    by_file.pop("timing"), by_url.pop("timing")
    assert by_url == by_file


def test_a_picture_of_another_site_is_kept_so_that_the_page_can_show_it(
    make_client: Callable[..., TestClient], red_png: bytes
) -> None:
    class Site(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # noqa: N802 (the name is http.server's)
            self.send_response(200)
            self.send_header("Content-Type", "image/png")
            self.end_headers()
            self.wfile.write(red_png)

        def log_message(self, *_: object) -> None:
            return None

    site = HTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=site.serve_forever, daemon=True).start()
    host = f"127.0.0.1:{site.server_port}"
    client = make_client(fetch_allow_hosts=(host,))
    answer = client.post("/v1/vision/captions", json={"image_url": f"http://{host}/a.png"}).json()
    site.shutdown()
    shown = client.get(answer["image_url"])
    assert Image.open(io.BytesIO(shown.content)).size == (40, 20)
    uploaded = upload(client, "/v1/vision/captions", red_png).json()
    assert "image_url" not in uploaded


def test_boxes_lie_inside_the_picture_and_faint_ones_are_left_out(client: TestClient, red_png: bytes) -> None:
    answer = upload(client, "/v1/vision/detections", red_png).json()
    assert (answer["width"], answer["height"]) == (40, 20)
    assert answer["detections"] == [{"label": "red thing", "score": 0.9, "box": [0.0, 0.0, 20.0, 20.0]}]
    low = upload(client, "/v1/vision/detections", red_png, threshold="0.1").json()
    assert len(low["detections"]) == 2


def test_classes_come_from_the_detector_and_say_so(client: TestClient, red_png: bytes) -> None:
    answer = upload(client, "/v1/vision/classifications", red_png).json()
    assert answer["classifications"][0] == {"label": "red thing", "score": 0.9}
    assert answer["derived_from"] == "detection"


def test_a_classifier_of_its_own_is_preferred(make_client: Callable[..., TestClient], red_png: bytes) -> None:
    client = make_client(FakeEngine(classifier=True))
    answer = upload(client, "/v1/vision/classifications", red_png, top_k="1").json()
    assert answer["classifications"] == [{"label": "red", "score": 0.8}]
    assert answer["derived_from"] is None


@pytest.mark.parametrize("by", ["file", "url"])
def test_a_question_about_a_picture_is_answered(client: TestClient, red_png: bytes, by: str) -> None:
    question = "  Qual é a cor? "
    if by == "file":
        answer = upload(client, "/v1/vision/questions", red_png, question=question).json()
    else:
        body = {"image_url": data_url(red_png), "question": question}
        answer = client.post("/v1/vision/questions", json=body).json()
    assert (answer["answer"], answer["question"]) == ("red, as to: Qual é a cor?", "Qual é a cor?")
    assert (answer["model"], set(answer["timing"])) == ("fake-reader", {"queue_ms", "load_ms", "run_ms"})


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({}, "missing_question"),
        ({"question": "  "}, "missing_question"),
        ({"question": "x" * 2001}, "invalid_request"),
        ({"question": "?", "model": "fake-captioner"}, "wrong_task"),
    ],
)
def test_a_wrong_question_is_a_clear_400(
    client: TestClient, red_png: bytes, fields: dict[str, str], code: str
) -> None:
    answer = upload(client, "/v1/vision/questions", red_png, **fields)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["code"] == code
    assert answer.json()["error"]["param"] == ("model" if code == "wrong_task" else "question")


def test_writing_is_read_line_by_line_inside_the_picture(client: TestClient, red_png: bytes) -> None:
    answer = upload(client, "/v1/vision/texts", red_png).json()
    assert answer["text"] == "OPEN\ntill six"
    assert answer["lines"][0] == {"text": "OPEN", "box": [0.0, 0.0, 20.0, 10.0]}
    assert (len(answer["lines"]), answer["width"], answer["height"]) == (2, 40, 20)


@pytest.mark.parametrize(
    ("path", "offered"), [("questions", "SmolVLM-256M-Instruct"), ("texts", "Florence-2-base")]
)
def test_without_a_model_for_it_the_answer_says_which_to_install(
    make_client: Callable[..., TestClient], red_png: bytes, path: str, offered: str
) -> None:
    client = make_client(FakeEngine(reader=False))
    answer = upload(client, f"/v1/vision/{path}", red_png, question="What is this?")
    assert answer.status_code == 503 and answer.json()["error"]["code"] == "no_model"
    assert "retry-after" not in answer.headers and answer.headers["x-should-retry"] == "false"
    assert offered in answer.json()["error"]["message"]


def test_the_first_documents_upload_tells_the_mean_with_two_decimals(
    client: TestClient, red_png: bytes, tmp_path: Path
) -> None:
    files = {"image": ("../../etc/pass wd.png", red_png, "image/png")}
    answer = client.post("/upload_image", files=files)
    assert answer.json() == {
        "message": "Imagem recebida com sucesso!",
        "analysis": "A média dos valores dos pixels da imagem é: 70.00",
    }
    kept = sorted(file.name for file in (tmp_path / "media").iterdir())
    assert len(kept) == 2
    assert all(name.startswith("upl_") for name in kept)


@pytest.mark.parametrize("path", [*(f"/v1/vision/{task}" for task in TASKS), "/upload_image"])
@pytest.mark.parametrize(
    ("options", "status", "code"),
    [
        ({"files": {"other": ("a.png", b"x", "image/png")}}, 400, "missing_image"),
        ({"files": {"image": ("a.png", b"", "image/png")}}, 400, "missing_image"),
        ({"files": {"image": ("a.png", b"not a picture", "image/png")}}, 400, "invalid_image"),
        ({"files": {"image": ("a.png", b"x" * 3000, "image/png")}}, 413, "image_too_large"),
        ({"data": {"image": "text"}, "files": {"b": ("b", b"x")}}, 400, "missing_image"),
        ({"content": b"hello", "headers": {"content-type": "text/plain"}}, 415, "unsupported_media_type"),
        ({"content": b"x", "headers": {"content-type": "multipart/form-data"}}, 400, "invalid_request"),
    ],
)
def test_a_wrong_upload_is_a_clear_4xx(
    make_client: Callable[..., TestClient], path: str, options: dict, status: int, code: str
) -> None:
    answer = make_client(max_image_bytes=2000).post(path, **options)
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["code"] == code


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        ({}, 400, "image_url"),
        ({"image_url": 5}, 400, "image_url"),
        ({"image_url": ""}, 400, "image_url"),
        ({"image_url": "file:///etc/passwd"}, 400, "image_url"),
        ({"image_url": "http://127.0.0.1:1/a.png"}, 400, "image_url"),
        ({"image_url": "http://169.254.169.254/latest"}, 400, "image_url"),
        ({"image_url": "http://no-such-host.invalid/a.png"}, 400, "image_url"),
        ({"image_url": "data:text/plain,hello"}, 400, "image_url"),
        ({"image_url": "data:image/png;base64,aGVsbG8="}, 400, "image_url"),
    ],
)
def test_a_wrong_url_is_a_clear_4xx(client: TestClient, body: dict, status: int, param: str) -> None:
    answer = client.post("/v1/vision/captions", json=body)
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["param"] == param


@pytest.mark.parametrize("fields", [{"threshold": "2"}, {"threshold": "x"}])
def test_a_wrong_option_names_its_field(client: TestClient, red_png: bytes, fields: dict[str, str]) -> None:
    answer = upload(client, "/v1/vision/detections", red_png, **fields)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "threshold"


def test_an_unknown_model_is_a_404_that_says_what_is_there(client: TestClient, red_png: bytes) -> None:
    answer = upload(client, "/v1/vision/captions", red_png, model="gone")
    assert answer.status_code == 404
    assert "fake-captioner" in answer.json()["error"]["message"]


def test_a_model_of_another_task_is_refused(client: TestClient, red_png: bytes) -> None:
    answer = upload(client, "/v1/vision/captions", red_png, model="fake-detector")
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "wrong_task"


def test_a_full_queue_is_a_429_that_says_when_to_try_again(
    make_client: Callable[..., TestClient], red_png: bytes
) -> None:
    answer = upload(make_client(FakeEngine(full=True)), "/v1/vision/captions", red_png)
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) >= 1


def test_a_picture_that_lies_on_its_side_is_measured_upright(client: TestClient) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    Image.new("RGB", (40, 20), "red").save(buffer, "JPEG", exif=exif)
    answer = upload(client, "/v1/vision/detections", buffer.getvalue()).json()
    assert (answer["width"], answer["height"]) == (20, 40)


def test_an_installed_model_answers_before_a_built_in_one(
    make_client: Callable[..., TestClient], red_png: bytes
) -> None:
    engine = FakeEngine()
    shipped = [replace(model, builtin=True) for model in engine.models]
    engine.models = (*shipped, replace(shipped[0], id="installed", builtin=False))
    client = make_client(engine)
    assert upload(client, "/v1/vision/captions", red_png).json()["model"] == "installed"
    assert (
        upload(client, "/v1/vision/captions", red_png, model="fake-captioner").json()["model"]
        == "fake-captioner"
    )
    assert upload(client, "/v1/vision/detections", red_png).json()["model"] == "fake-detector"


def test_of_installed_models_the_one_made_for_the_task_answers(
    make_client: Callable[..., TestClient], red_png: bytes
) -> None:
    engine = FakeEngine()
    first = replace(engine.models[0], id="of-all-trades", task="question", also=("caption", "detection"))
    engine.models = (first, *engine.models)
    client = make_client(engine)
    for call, model in (
        ("captions", "fake-captioner"), ("detections", "fake-detector"), ("questions", "of-all-trades"),
    ):  # fmt: skip
        answer = upload(client, f"/v1/vision/{call}", red_png, question="?")
        assert answer.json()["model"] == model


def test_the_catalogue_and_the_models_are_listed(client: TestClient) -> None:
    models = {row["id"]: row for row in client.get("/v1/models").json()["data"]}
    assert {row["task"] for row in models.values()} == {"caption", "detection", "question"}
    assert models["fake-reader"]["tasks"] == ["question", "ocr"]
    rows = {row["id"]: row for row in client.get("/v1/catalogue").json()["data"]}
    assert rows["vit-gpt2-image-captioning"]["license"] == "Apache-2.0"
    assert rows["Florence-2-base"]["tasks"] == ["caption", "detection", "ocr"]


def test_the_catalogue_names_no_pickles(client: TestClient) -> None:
    named = [file for row in client.get("/v1/catalogue").json()["data"] for file in row["files"]]
    assert not [file for file in named if file.endswith((".bin", ".pt", ".pth", ".ckpt", ".pkl"))]
