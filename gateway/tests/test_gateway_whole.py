"""What the gateway says of all services together, the pipeline, and the page."""

from __future__ import annotations

import asyncio
import base64
import json
import time

import aiohttp
import pytest
from aiohttp import web

from gateway.engine.poller import ServiceState

from .conftest import in_time, serve_fake, serve_gateway, until

DESCRIBE = "/v1/pipelines/describe"


def answered_a_while_ago() -> ServiceState:
    return ServiceState("ready", answered_at=time.monotonic() - 3)


def models(*ids: str):
    async def answer(_: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [{"id": i, "object": "model"} for i in ids]})

    return answer


@pytest.mark.usefixtures("in_earnest")
async def test_status_is_quick_and_true_while_a_service_hangs(fake, tmp_path):
    async def hang(_: web.Request) -> web.Response:
        await asyncio.sleep(60)
        return web.Response()

    async with serve_fake() as other:
        other.routes |= {"/readyz": hang, "/v1/models": hang, "/v1/jobs": hang}
        fake.routes["/v1/models"] = models("tiny")
        async with serve_gateway(fake, tmp_path, upstream_chat=(other.url,)) as gateway:
            gateway.parts.poller.states["chat"] = answered_a_while_ago()
            for path in (
                "/api/status",
                "/v1/models",
                "/api/models",
                "/v1/jobs",
                "/readyz",
                "/api/models/detailed",
            ):

                def right(_: int, body: dict, path: str = path) -> None:
                    if path == "/api/status":
                        told = {name: body["services"][name]["status"] for name in ("chat", "rag")}
                        gateway.parts.poller.states["chat"] = (
                            answered_a_while_ago()
                        )  # should it be asked again
                        assert told == {"chat": "slow", "rag": "ready"}
                        assert set(body) == {
                            "ollama_status",
                            "stable_diffusion_status",
                            "system_info",
                            "memory",
                            "services",
                        }
                    if path == "/v1/jobs":
                        assert body["missing"] == ["chat"]

                await in_time(gateway, path, right, within_s=1.0)


async def test_a_killed_service_is_told_within_two_seconds(fake, tmp_path):
    async with serve_fake() as other:
        async with serve_gateway(fake, tmp_path, upstream_tts=(other.url,)) as gateway:
            await until(lambda: gateway.parts.poller.states["tts"].status == "ready")
            other_url = other.url
        gone = other_url
    async with serve_gateway(fake, tmp_path, upstream_tts=(gone,)) as gateway:
        body = await in_time(gateway, "/api/status", within_s=2.0)
        assert body["services"]["tts"]["status"] == "down"


async def test_health_has_the_documents_shape(gateway):
    async with gateway.client.get(gateway.url + "/api/health") as answer:
        body = await answer.json()
    assert body["status"] == "healthy" and set(body) == {"status", "timestamp", "version"}


async def test_models_are_merged_found_and_loaded_where_they_are(fake, tmp_path):
    async with serve_fake() as vision:
        fake.routes["/v1/models"] = models()
        vision.routes["/v1/models"] = models("org/vit", "det")
        async with serve_gateway(fake, tmp_path, upstream_vision=(vision.url,)) as gateway:
            async with gateway.get("/api/models") as answer:
                assert await answer.json() == {"models": ["org/vit", "det"]}
            async with gateway.get("/v1/models/org/vit") as answer:
                assert (await answer.json())["service"] == "svc-vision"
            async with gateway.get("/v1/models/none") as answer:
                error = (await answer.json())["error"]
                assert (
                    answer.status == 404
                    and error["code"] == "model_not_found"
                    and "org/vit" in error["message"]
                )
            async with gateway.post("/v1/models/org/vit/load") as answer:
                assert answer.status == 200
            assert vision.calls("/v1/models/org/vit/load") and not fake.calls("/v1/models/org/vit/load")
            async with gateway.post("/v1/models/none/load") as answer:
                assert answer.status == 404


async def test_jobs_are_merged_newest_first(fake, tmp_path):
    async def jobs(_: web.Request) -> web.Response:
        return web.json_response(
            {"data": [{"id": "job_rag_1", "created_at": "1"}, {"id": "b", "created_at": "2"}]}
        )

    async with serve_fake() as rag:
        rag.routes["/v1/jobs"] = jobs
        async with serve_gateway(fake, tmp_path, upstream_rag=(rag.url,)) as gateway:
            async with gateway.get("/v1/jobs") as answer:
                assert [job["id"] for job in (await answer.json())["data"]] == ["b", "job_rag_1"]
            async with gateway.get("/v1/jobs/job_rag_12345678/events") as answer:
                assert answer.status == 200 and rag.calls("/v1/jobs/job_rag_12345678/events")
            async with gateway.get("/v1/jobs/job_nothing") as answer:
                assert answer.status == 404


async def test_the_api_descriptions_are_merged(gateway):
    async def described(_: web.Request) -> web.Response:
        return web.json_response(
            {"paths": {"/chat": {"post": {}}}, "components": {"schemas": {"Login": {"x": 1}}}}
        )

    gateway.fake.routes["/openapi.json"] = described
    async with gateway.client.get(gateway.url + "/openapi.json") as answer:
        body = await answer.json()
    assert "/chat" in body["paths"] and "/auth/keys" in body["paths"]


def abilities(fake, failing: str = ""):
    async def caption(_: web.Request) -> web.Response:
        return web.json_response({"caption": "a red circle", "model": "m"})

    async def translate(request: web.Request) -> web.Response:
        asked = await request.json()
        return web.json_response(
            {"translations": [{"text": "PT " + asked["text"], "target": asked["target"]}]}
        )

    async def speak(_: web.Request) -> web.Response:
        if failing == "speech":
            error = {
                "message": "No voice.",
                "type": "invalid_request_error",
                "param": "voice",
                "code": "no_voice",
            }
            return web.json_response({"error": error}, status=400)
        return web.json_response({"url": "/audio/1.wav", "duration_s": 1.5})

    fake.routes |= {"/v1/vision/captions": caption, "/v1/translations": translate, "/text-to-audio": speak}


async def events(answer) -> list[tuple[str, dict]]:
    found = []
    for block in (await answer.text()).strip().split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        found.append((lines["event"], json.loads(lines["data"])))
    return found


async def test_a_picture_is_captioned_translated_and_spoken_step_by_step(gateway):
    abilities(gateway.fake)
    async with gateway.post(DESCRIBE, json={"image": base64.b64encode(b"picture").decode()}) as answer:
        assert answer.content_type == "text/event-stream"
        found = await events(answer)
    steps = [(data["step"], data["status"]) for name, data in found if name == "step"]
    assert steps == [
        (step, status) for step in ("caption", "translation", "speech") for status in ("running", "done")
    ]
    name, done = found[-1]
    assert name == "done" and done["caption"] == "a red circle" and done["translation"] == "PT a red circle"
    assert done["audio_url"] == "/audio/1.wav"
    assert b"picture" in gateway.fake.calls("/v1/vision/captions")[0].body
    async with gateway.post(DESCRIBE, json={"image": base64.b64encode(b"picture").decode()}) as answer:
        assert (await events(answer))[-1][1]["caption"] == "a red circle"
    assert len(gateway.fake.calls("/v1/vision/captions")) == len(gateway.fake.calls("/text-to-audio")) == 1


async def test_a_caption_is_asked_of_the_model_named_and_kept_apart(gateway):
    abilities(gateway.fake)
    asked = {"image": base64.b64encode(b"picture").decode(), "stream": False}
    for more in ({}, {"caption_model": "me/one"}, {"caption_model": "me/two"}, {"caption_model": "me/one"}):
        async with gateway.post(DESCRIBE, json=asked | more) as answer:
            assert answer.status == 200
    named = [
        b"me/one" in call.body or b"me/two" in call.body for call in gateway.fake.calls("/v1/vision/captions")
    ]
    assert named == [False, True, True]
    async with gateway.post(
        DESCRIBE, json={"image_url": "http://example.org/a.png", "caption_model": "me/one"}
    ) as answer:
        await answer.text()
    assert json.loads(gateway.fake.calls("/v1/vision/captions")[-1].body)["model"] == "me/one"
    async with gateway.post(DESCRIBE, json=asked | {"caption_model": "x" * 301}) as answer:
        assert answer.status == 400


@pytest.mark.parametrize("call", [DESCRIBE, "/v1/vision/captions"])
async def test_what_a_model_said_is_not_told_once_another_was_installed(gateway, call):
    abilities(gateway.fake)
    report = {"status": "ready", "model": "tiny", "models": "before"}

    async def readyz(_: web.Request) -> web.Response:
        return web.json_response(report)

    async def described() -> int:
        asked = {"image": base64.b64encode(b"picture").decode(), "stream": False}
        body = asked if call == DESCRIBE else {"image_url": "data:image/png;base64,cGljdHVyZQ=="}
        async with gateway.post(call, json=body) as answer:
            assert answer.status == 200
        return len(gateway.fake.calls("/v1/vision/captions"))

    gateway.fake.routes["/readyz"] = readyz
    gateway.parts.poller._task.cancel()  # what it asked before the change must not be told after it
    await gateway.parts.poller.look()
    assert [await described() for _ in range(2)] == [1, 1]
    report["models"] = "after"
    await gateway.parts.poller.look()
    assert [await described() for _ in range(2)] == [2, 2]


async def test_own_pictures_uploads_data_urls_and_foreign_urls_are_described(gateway):
    async def picture(_: web.Request) -> web.Response:
        return web.Response(body=b"drawn", content_type="image/png")

    abilities(gateway.fake)
    gateway.fake.routes["/media/img_1"] = picture
    form = aiohttp.FormData()
    form.add_field("image", b"uploaded", filename="../x.png", content_type="image/png")
    form.add_field("stream", "false")
    for more in (
        {"json": {"image_url": "/media/img_1", "stream": False}},
        {"json": {"image_url": gateway.url + "/media/img_1?x", "stream": False}},
        {
            "json": {
                "image_url": "data:image/png;base64," + base64.b64encode(b"inline").decode(),
                "stream": False,
            }
        },
        {"json": {"image_url": "http://example.org/a.png", "stream": False}},
        {"data": form},
    ):
        async with gateway.post(DESCRIBE, **more) as answer:
            body = await answer.json()
            assert answer.status == 200, body
            assert body["caption"]["text"] == "a red circle" and body["speech"]["duration_s"] == 1.5
            assert body["translation"]["text"] == "PT a red circle" and body["translation"]["target"] == "pt"
    bodies = [seen.body for seen in gateway.fake.calls("/v1/vision/captions")]
    assert [next(w for w in (b"drawn", b"inline", b"example.org", b"uploaded") if w in b) for b in bodies] == [
        b"drawn", b"inline", b"example.org", b"uploaded",
    ]  # fmt: skip


async def test_a_failing_step_is_told_and_what_succeeded_is_kept(gateway):
    abilities(gateway.fake, failing="speech")
    asked = {"image": base64.b64encode(b"p").decode()}
    async with gateway.post(DESCRIBE, json=asked) as answer:
        found = await events(answer)
    assert found[-2][1]["status"] == "failed" and found[-2][1]["error"]["message"] == "No voice."
    assert found[-1][1]["translation"] == "PT a red circle" and found[-1][1]["failed_step"] == "speech"
    async with gateway.post(DESCRIBE, json=asked | {"stream": False}) as answer:
        body = await answer.json()
        assert answer.status == 400 and body["error"]["code"] == "no_voice"
        assert body["caption"]["text"] == "a red circle"
    assert len(gateway.fake.calls("/v1/vision/captions")) == 1


async def test_any_steps_text_may_be_given_to_start_from_there(gateway):
    abilities(gateway.fake)
    async with gateway.post(DESCRIBE, json={"caption": "a star", "stream": False}) as answer:
        assert (await answer.json())["translation"]["text"] == "PT a star"
    async with gateway.post(DESCRIBE, json={"translation": "uma estrela", "stream": False}) as answer:
        body = await answer.json()
    assert body["speech"]["url"] == "/audio/1.wav" and body["translation"]["text"] == "uma estrela"
    assert not gateway.fake.calls("/v1/vision/captions") and len(gateway.fake.calls("/v1/translations")) == 1


async def test_an_address_is_short_and_a_picture_is_none(gateway):
    asked = {"image_url": "http://example.org/" + "a" * 5000}
    async with gateway.post(DESCRIBE, json=asked) as answer:
        error = (await answer.json())["error"]
        assert answer.status == 400 and error["param"] == "image_url"
    assert "5019 characters, 4096 at most" in error["message"] and "data URL" in error["message"]


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"json": {}}, 400), ({"json": []}, 400), ({"json": {"image": "%%%"}}, 400), ({"data": b"x"}, 415),
        ({"json": {"image_url": "file:///etc/passwd"}}, 400), ({"json": {"image_url": "/media/../x"}}, 400),
        ({"json": {"image_url": "/media/xyz_1"}}, 400), ({"json": {"image": "aGk=", "target": "../x"}}, 400),
        ({"json": {"image_url": 7}}, 400), ({"json": {"caption": ""}}, 400), ({"json": {"caption": "x" * 6000}}, 400),
        ({"data": b"{", "headers": {"Content-Type": "application/json"}}, 400),
    ],
)  # fmt: skip
async def test_malformed_orders_are_4xx(gateway, more, status):
    headers = gateway.auth | more.pop("headers", {})
    async with gateway.post(DESCRIBE, headers=headers, **more) as answer:
        assert answer.status == status
        assert set((await answer.json())["error"]) == {"message", "type", "param", "code"}


async def test_the_page_is_served_with_its_policy_and_routes_itself(fake, tmp_path):
    folder = tmp_path / "page"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<h1>Oficina</h1>")
    (folder / "assets" / "a.js").write_text("1")
    (tmp_path / "secret.txt").write_text("secret")
    async with serve_gateway(fake, tmp_path / "gw", static_dir=str(folder)) as gateway:
        for path in ("/", "/index.html", "/vision", "/deep/link"):
            async with gateway.client.get(gateway.url + path) as answer:
                assert answer.status == 200 and await answer.text() == "<h1>Oficina</h1>", path
                assert "script-src 'self'" in answer.headers["content-security-policy"]
                assert answer.headers["cache-control"] == "no-cache"
        async with gateway.client.get(gateway.url + "/assets/a.js") as answer:
            assert "immutable" in answer.headers["cache-control"]
        for path in ("/assets/none.js", "/secret.txt"):
            async with gateway.client.get(gateway.url + path) as answer:
                assert answer.status == 404
        async with gateway.client.get(gateway.url + "/v1/nothing") as answer:
            assert answer.status == 404 and (await answer.json())["error"]["code"] == "not_found"


async def test_the_frontends_server_gets_no_identity(fake, tmp_path):
    async with (
        serve_gateway(fake, tmp_path, upstream_frontend=(fake.url,)) as gateway,
        gateway.get("/some/page") as answer,
    ):
        assert answer.status == 200 and "script-src" in answer.headers["content-security-policy"]
    seen = fake.calls("/some/page")[0].headers
    assert not {"authorization", "cookie"} & {name.lower() for name in seen}


@pytest.mark.parametrize("served_by", ["gateway", "frontend"])
async def test_only_scripts_of_workers_may_compile_webassembly(fake, tmp_path, served_by):
    folder = tmp_path / "page"
    (folder / "assets" / "worker").mkdir(parents=True)
    for name in ("index.html", "assets/a.js", "assets/worker/w.js"):
        (folder / name).write_text("1")
    where = {"static_dir": str(folder)} if served_by == "gateway" else {"upstream_frontend": (fake.url,)}
    async with serve_gateway(fake, tmp_path / "gw", **where) as gateway:
        for path, may in (("/", False), ("/assets/a.js", False), ("/assets/worker/w.js", True)):
            async with gateway.client.get(gateway.url + path) as answer:
                policy = answer.headers["content-security-policy"]
                assert ("script-src 'self' 'wasm-unsafe-eval';" in policy) is may, path
                assert "connect-src 'self';" in policy and "http" not in policy
                # together they let threads share memory
                assert answer.headers["cross-origin-opener-policy"] == "same-origin"
                assert answer.headers["cross-origin-embedder-policy"] == "require-corp"


async def test_metrics_and_logs_name_routes_and_not_paths(gateway):
    async with gateway.get("/v1/documents/my-secret-document") as answer:
        assert answer.status == 200
    async with gateway.client.get(gateway.url + "/metrics") as answer:
        text = await answer.text()
    assert 'route="/v1/documents"' in text and "my-secret-document" not in text


async def test_other_sites_pages_may_call_when_they_are_listed(fake, tmp_path):
    from starlette.testclient import TestClient

    from gateway.app import create_app
    from gateway.settings import Settings

    app = create_app(Settings(data_dir=tmp_path, cors_origins=("https://app.example",)))
    with TestClient(app, base_url="http://localhost") as client:
        ask = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
        good = client.options("/v1/models", headers=ask | {"Origin": "https://app.example"})
        assert good.headers["access-control-allow-origin"] == "https://app.example"
        assert "access-control-allow-credentials" not in good.headers
        bad = client.options("/v1/models", headers=ask | {"Origin": "https://evil.example"})
        assert "access-control-allow-origin" not in bad.headers
