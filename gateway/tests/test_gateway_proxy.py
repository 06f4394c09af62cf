"""What passes through the gateway, and how."""

from __future__ import annotations

import asyncio
import json

import aiohttp
import jwt
import pytest
from aiohttp import web
from yarl import URL

from .conftest import KEY, until


async def test_a_call_reaches_its_service_with_query_and_body(gateway):
    url = URL(gateway.url + "/v1/chat/completions?x=%2Fa&y=1", encoded=True)
    async with gateway.client.post(url, json={"hello": 1}, headers=gateway.auth) as answer:
        assert answer.status == 200
        assert await answer.json() == {
            "path": "/v1/chat/completions?x=%2Fa&y=1", "method": "POST", "got": len('{"hello": 1}'),
        }  # fmt: skip


async def test_credentials_never_reach_a_service_but_a_signed_identity_does(gateway):
    headers = gateway.auth | {
        "Cookie": "oficina_session=abc", "X-Forwarded-For": "6.6.6.6", "Forwarded": "for=6.6.6.6",
        "Connection": "keep-alive, x-secret-hop", "X-Secret-Hop": "1", "X-Custom": "kept",
        "Proxy-Authorization": "Basic x", "X-Request-Id": "my-id-1",
    }  # fmt: skip
    async with gateway.post("/v1/chat/completions", json={}, headers=headers) as answer:
        assert answer.headers["x-request-id"] == "my-id-1"
    seen = {
        name.lower(): value for name, value in gateway.fake.calls("/v1/chat/completions")[0].headers.items()
    }
    assert KEY not in json.dumps(seen)
    assert "cookie" not in seen and "x-secret-hop" not in seen and "forwarded" not in seen
    assert "proxy-authorization" not in seen
    assert seen["x-forwarded-for"] == "127.0.0.1" and seen["x-custom"] == "kept"
    assert seen["x-request-id"] == "my-id-1"
    assert seen["x-forwarded-host"] == gateway.url.removeprefix("http://")
    assert seen["host"] == gateway.fake.url.removeprefix("http://")
    key = jwt.PyJWK(gateway.parts.signer.jwks()["keys"][0]).key
    claims = jwt.decode(
        seen["authorization"].removeprefix("Bearer "), key, algorithms=["EdDSA"], audience="oficina"
    )
    assert claims["typ"] == "identity" and claims["name"] == "owner" and claims["role"] == "owner"
    assert claims["exp"] - claims["iat"] == 300


async def test_answers_lose_what_is_between_the_servers_and_gain_security_headers(gateway):
    async def chatty(_: web.Request) -> web.Response:
        return web.json_response({}, headers={"Set-Cookie": "a=b", "X-Powered-By": "x", "X-Kept": "1"})

    gateway.fake.routes["/v1/personas"] = chatty
    async with gateway.get("/v1/personas") as answer:
        assert "set-cookie" not in answer.headers and "x-powered-by" not in answer.headers
        assert answer.headers["x-kept"] == "1" and answer.headers["x-content-type-options"] == "nosniff"
        assert len(answer.headers.getall("date")) == 1 and answer.headers["x-request-id"]


async def test_a_stream_is_passed_on_event_by_event(gateway):
    go = asyncio.Event()

    async def stream(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b"data: 1\n\n")
        await go.wait()
        await response.write(b"data: 2\n\n")
        return response

    gateway.fake.routes["/v1/chat/completions"] = stream
    async with gateway.post("/v1/chat/completions", json={}) as answer:
        assert await asyncio.wait_for(answer.content.readany(), 60) == b"data: 1\n\n"
        go.set()
        assert await answer.content.read() == b"data: 2\n\n"


async def test_an_upload_is_passed_on_while_it_comes(gateway):
    first = asyncio.Event()

    async def take(request: web.Request) -> web.Response:
        got = await request.content.readany()
        first.set()
        while chunk := await request.content.readany():
            got += chunk
        return web.json_response({"got": len(got)})

    take.raw = True
    gateway.fake.routes["/v1/files"] = take

    async def body():
        yield b"a" * 100_000
        await asyncio.wait_for(first.wait(), 60)
        yield b"b" * 100_000

    async with gateway.post("/v1/files", data=body()) as answer:
        assert await answer.json() == {"got": 200_000}


@pytest.mark.parametrize("streaming", [False, True])
async def test_a_client_that_leaves_cancels_the_call_upstream_at_once(gateway, streaming):
    begun = asyncio.Event()

    async def endless(request: web.Request) -> web.StreamResponse:
        begun.set()
        if streaming:
            response = web.StreamResponse()
            await response.prepare(request)
            while True:
                await response.write(b"x" * 10)
                await asyncio.sleep(0.01)
        await asyncio.Event().wait()
        raise AssertionError

    gateway.fake.routes["/v1/chat/completions"] = endless
    call = asyncio.create_task(_read_all(gateway))
    await asyncio.wait_for(begun.wait(), 60)
    call.cancel()
    await until(lambda: gateway.fake.cancelled)  # it would have gone on for ever
    assert gateway.fake.cancelled == ["/v1/chat/completions"]
    await until(lambda: gateway.parts.upstreams.in_flight("chat") == 0)


async def _read_all(gateway) -> None:
    async with gateway.post("/v1/chat/completions", json={}) as answer:
        await answer.read()


async def test_a_service_that_is_down_gives_503_and_the_others_answer(fake, tmp_path, unused_tcp_port):
    from .conftest import serve_gateway

    dead = f"http://127.0.0.1:{unused_tcp_port}"
    async with serve_gateway(fake, tmp_path, upstream_vision=(dead,)) as gateway:
        async with gateway.post("/v1/vision/captions", json={"image_url": "x"}) as answer:
            assert answer.status == 503 and int(answer.headers["Retry-After"]) >= 1
            error = (await answer.json())["error"]
            assert "svc-vision" in error["message"] and error["code"] == "service_down"
        async with gateway.post("/v1/chat/completions", json={}) as answer:
            assert answer.status == 200
        async with gateway.get("/api/status") as answer:
            services = (await answer.json())["services"]
        assert services["vision"]["status"] == "down" and services["chat"]["status"] == "ready"
        async with gateway.get("/readyz") as answer:
            assert answer.status == 503 and "svc-vision is down" in (await answer.json())["reason"]


async def test_a_second_url_answers_when_the_first_is_down(fake, tmp_path, unused_tcp_port):
    from .conftest import serve_gateway

    urls = (f"http://127.0.0.1:{unused_tcp_port}", fake.url)
    async with serve_gateway(fake, tmp_path, upstream_chat=urls) as gateway:
        for _ in range(4):
            async with gateway.post("/v1/chat/completions", json={"n": 1}) as answer:
                assert answer.status == 200


async def test_a_service_that_breaks_off_is_a_503_before_and_an_error_event_within_a_stream(gateway):
    async def drop(request: web.Request) -> web.StreamResponse:
        if request.query.get("late"):
            response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
            await response.prepare(request)
            await response.write(b"data: 1\n\n")
            await asyncio.sleep(0.05)
        request.transport.close()
        return web.Response()

    gateway.fake.routes["/v1/chat/completions"] = drop
    async with gateway.post("/v1/chat/completions", json={}) as answer:
        assert answer.status == 503
    async with gateway.post("/v1/chat/completions?late=1", json={}) as answer:
        assert answer.status == 200
        text = await answer.text()
    assert text.startswith("data: 1\n\n") and "event: error" in text and "service_down" in text


async def test_a_silent_service_is_given_up_with_504(fake, tmp_path):
    from .conftest import serve_gateway

    async def silent(_: web.Request) -> web.Response:
        await asyncio.sleep(30)
        return web.Response()

    fake.routes["/v1/chat/completions"] = silent
    async with (
        serve_gateway(fake, tmp_path, read_timeout_s=0.2) as gateway,
        gateway.post("/v1/chat/completions", json={}) as answer,
    ):
        assert answer.status == 504 and (await answer.json())["error"]["code"] == "deadline_exceeded"


async def test_bodies_over_the_limit_are_refused_declared_or_not(fake, tmp_path):
    from .conftest import serve_gateway

    async def endless():
        for _ in range(100):
            yield b"x" * 1000

    async with serve_gateway(fake, tmp_path, max_body_bytes=10_000) as gateway:
        async with gateway.post("/v1/responses", data=b"x" * 10_001) as answer:
            assert answer.status == 413
        try:
            async with gateway.post("/v1/responses", data=endless()) as answer:
                assert answer.status == 413
        except aiohttp.ClientConnectionError:
            pass  # the connection may close while the rest is still being sent
        async with gateway.post("/v1/chat/completions", data=b"x" * 9_000) as answer:
            assert answer.status == 200


async def test_a_service_answers_at_most_so_many_calls_at_once(fake, tmp_path):
    from .conftest import serve_gateway

    go = asyncio.Event()

    async def wait(_: web.Request) -> web.Response:
        await go.wait()
        return web.json_response({})

    fake.routes["/v1/chat/completions"] = wait
    async with serve_gateway(fake, tmp_path, max_in_flight=2) as gateway:
        calls = [asyncio.create_task(_status(gateway)) for _ in range(5)]
        await until(lambda: sum(c.done() for c in calls) == 3)
        go.set()
        assert sorted(await asyncio.gather(*calls)) == [200, 200, 429, 429, 429]


async def _status(gateway) -> int:
    async with gateway.post("/v1/chat/completions", json={}) as answer:
        return answer.status


async def test_large_and_compressed_answers_pass_unchanged(gateway):
    import gzip

    packed = gzip.compress(b"hello" * 1000)

    async def big(request: web.Request) -> web.Response:
        if request.query.get("gzip"):
            return web.Response(body=packed, headers={"Content-Encoding": "gzip"})
        return web.Response(body=b"z" * 3_000_000, content_type="image/png")

    gateway.fake.routes["/media/img_1"] = big
    async with gateway.get("/media/img_1") as answer:
        assert await answer.read() == b"z" * 3_000_000 and answer.content_type == "image/png"
        assert "sandbox" in answer.headers["content-security-policy"]
    async with gateway.get("/media/img_1?gzip=1") as answer:
        assert await answer.read() == b"hello" * 1000


async def test_a_file_may_be_larger_than_other_bodies(fake, tmp_path):
    from .conftest import serve_gateway

    limits = {"max_body_bytes": 10_000, "max_file_bytes": 100_000}
    async with serve_gateway(fake, tmp_path, **limits) as gateway:
        for path, status in (("/v1/files", 200), ("/v1/files/x", 413), ("/v1/conversations", 413)):
            async with gateway.post(path, data=b"x" * 90_000) as answer:
                assert answer.status == status, path
        async with gateway.post("/v1/files", data=b"x" * 200_000) as answer:
            assert answer.status == 413
