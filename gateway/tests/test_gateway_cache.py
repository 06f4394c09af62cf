"""The same question is asked once."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import time

import aiohttp
import pytest
from aiohttp import web

from .conftest import serve_gateway, until
from .test_gateway_auth import member

ASK = {"text": "hello", "target": "pt"}
PATH = "/v1/translations"


async def ask(gateway, path=PATH, body=ASK, **more):
    async with gateway.post(path, json=body, **more) as answer:
        await answer.read()
        return answer.status, answer.headers.get("x-cache")


async def test_the_second_equal_call_is_a_hit_with_the_same_answer(gateway):
    async with gateway.post(PATH, json=ASK) as first:
        miss = await first.read()
    async with gateway.post(PATH, json=ASK) as second:
        assert second.headers["x-cache"] == "hit" and await second.read() == miss
        assert second.content_type == "application/json" and second.headers["x-request-id"]
        assert first.headers["x-cache"] == "miss"
        assert first.headers["x-request-id"] != second.headers["x-request-id"]
    assert len(gateway.fake.calls(PATH)) == 1


async def test_other_content_other_callers_and_no_cache_ask_again(gateway):
    _, ana = await member(gateway)
    assert await ask(gateway) == (200, "miss")
    assert await ask(gateway, body=ASK | {"target": "es"}) == (200, "miss")
    assert await ask(gateway, headers=ana) == (200, "miss")
    assert await ask(gateway, headers=gateway.auth | {"Cache-Control": "no-cache"}) == (200, "miss")
    assert await ask(gateway) == (200, "hit")
    assert len(gateway.fake.calls(PATH)) == 4


async def test_two_hundred_equal_misses_make_one_call(gateway):
    async def slow(_: web.Request) -> web.Response:
        await asyncio.sleep(0.2)
        return web.json_response({"ok": True})

    gateway.fake.routes[PATH] = slow
    found = await asyncio.gather(*(ask(gateway) for _ in range(200)))
    assert {status for status, _ in found} == {200}
    assert len(gateway.fake.calls(PATH)) == 1
    assert [cache for _, cache in found].count("miss") == 1


async def test_when_the_first_caller_leaves_the_others_still_get_answers(gateway):
    async def slow(_: web.Request) -> web.Response:
        await asyncio.sleep(0.2)
        return web.json_response({"ok": True})

    gateway.fake.routes[PATH] = slow
    first = asyncio.create_task(ask(gateway))
    await until(lambda: gateway.fake.calls(PATH))
    others = [asyncio.create_task(ask(gateway)) for _ in range(5)]
    await asyncio.sleep(0.05)
    first.cancel()
    assert {status for status, _ in await asyncio.gather(*others)} == {200}


async def test_errors_and_chat_are_not_kept(gateway):
    async def fail(_: web.Request) -> web.Response:
        return web.json_response({"error": {}}, status=400)

    gateway.fake.routes[PATH] = fail
    assert await ask(gateway) == (400, "miss")
    assert await ask(gateway) == (400, "miss")
    assert (await ask(gateway, "/v1/chat/completions"))[1] is None
    speech = {"input": "oi", "stream_format": "sse"}
    assert (await ask(gateway, "/v1/audio/speech", speech))[1] is None


async def test_uploads_of_the_same_picture_hit_whatever_the_boundary(gateway):
    found = []
    for _ in range(2):
        form = aiohttp.FormData()
        form.add_field("image", b"\x89PNG" + b"x" * 200_000, filename="a.png", content_type="image/png")
        async with gateway.post("/v1/vision/captions", data=form) as answer:
            found.append(answer.headers["x-cache"])
    assert found == ["miss", "hit"]


@pytest.fixture
def redis_server(unused_tcp_port, tmp_path):
    program = shutil.which("redis-server")
    if not program:
        pytest.skip("redis-server is not installed")
    command = [
        program,
        "--port",
        str(unused_tcp_port),
        "--save",
        "",
        "--dir",
        str(tmp_path),
        "--bind",
        "127.0.0.1",
    ]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    yield server, f"redis://127.0.0.1:{unused_tcp_port}/0"
    server.kill()
    server.wait()


@pytest.mark.parametrize("how", ["kill", "freeze"])
async def test_redis_killed_or_frozen_costs_only_the_cache(fake, tmp_path, redis_server, how):
    import signal

    server, url = redis_server
    async with serve_gateway(fake, tmp_path / "gw", redis_url=url) as gateway:
        for attempt in range(50):
            if (await ask(gateway, headers=gateway.auth | {"Cache-Control": "no-cache"}))[0] == 200 and (
                await ask(gateway)
            )[1] == "hit":
                break
            await asyncio.sleep(0.1 if attempt < 49 else 0)
        server.send_signal(signal.SIGKILL if how == "kill" else signal.SIGSTOP)
        slowest = 0.0
        for n in range(20):
            start = time.monotonic()
            assert (await ask(gateway, body=ASK | {"n": n}))[0] == 200
            slowest = max(slowest, time.monotonic() - start)
        assert slowest < 1.0
        assert await ask(gateway, body=ASK | {"n": 0}) == (200, "hit")
        server.send_signal(signal.SIGCONT)


async def test_counts_are_shared_through_redis(fake, tmp_path, redis_server):
    _, url = redis_server
    more = {"redis_url": url, "rate_limit": "40/minute"}
    async with (
        serve_gateway(fake, tmp_path / "a", **more) as one,
        serve_gateway(fake, tmp_path / "b", **more) as two,
    ):
        two.parts.limiter._rates["calls"].take("x", time.time())
        one.parts.limiter._rates["calls"].take("x", time.time())
        await until(lambda: any(c.elsewhere for c in one.parts.limiter._rates["calls"]._counts.values())
                    or any(c.elsewhere for c in two.parts.limiter._rates["calls"]._counts.values()), 8)  # fmt: skip


async def test_the_rate_limit_answers_429_with_retry_after(fake, tmp_path):
    async with serve_gateway(fake, tmp_path, rate_limit="5/minute") as gateway:
        found = [(await ask(gateway, "/v1/chat/completions"))[0] for _ in range(12)]
        assert found[:5] == [200] * 5 and found[-1] == 429
        async with gateway.post("/v1/chat/completions", json={}) as answer:
            assert int(answer.headers["Retry-After"]) >= 1
            assert (await answer.json())["error"]["code"] == "rate_limit_exceeded"
