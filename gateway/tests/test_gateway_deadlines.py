"""A client says how long it waits; nobody works longer for it."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web

from .conftest import patiently, until

CHAT = "/v1/chat/completions"


async def never(_: web.Request) -> web.Response:
    await asyncio.Event().wait()
    raise AssertionError


def waits(gateway, seconds: str, header: str = "x-request-timeout") -> dict[str, str]:
    return gateway.auth | {header: seconds}


@pytest.mark.parametrize("header", ["x-request-timeout", "x-stainless-timeout", "x-stainless-read-timeout"])
async def test_a_call_that_takes_longer_is_a_504_and_ends_upstream(gateway, header):
    gateway.fake.routes[CHAT] = never
    async with gateway.post(CHAT, json={}, headers=waits(gateway, "0.3", header)) as answer:
        assert answer.status == 504
        error = (await answer.json())["error"]
    assert error["code"] == "deadline_exceeded" and set(error) == {"message", "type", "param", "code"}
    await until(lambda: gateway.fake.cancelled == [CHAT])
    await until(lambda: gateway.parts.upstreams.in_flight("chat") == 0)


async def test_what_is_left_is_passed_on_a_little_shorter(gateway):
    async with gateway.post(CHAT, json={}, headers=waits(gateway, "300")) as answer:
        assert answer.status == 200
    left = float(gateway.fake.calls(CHAT)[0].headers["x-request-timeout"])
    assert 100 < left < 300
    async with gateway.post(CHAT, json={}) as answer:
        assert answer.status == 200
    assert "x-request-timeout" not in gateway.fake.calls(CHAT)[1].headers


@pytest.mark.parametrize("wrong", ["soon", "0", "-1", "nan", "inf", "1e9", "5s"])
async def test_a_deadline_that_is_none_is_a_400(gateway, wrong):
    async with gateway.post(CHAT, json={}, headers=waits(gateway, wrong)) as answer:
        assert answer.status == 400
        error = (await answer.json())["error"]
    assert error["param"] == "x-request-timeout" and not gateway.fake.calls(CHAT)


@pytest.mark.parametrize("odd", ["", "x", "-1", "600", "."])
async def test_what_openais_clients_tell_of_themselves_is_never_an_error(gateway, odd):
    async with gateway.post(CHAT, json={}, headers=waits(gateway, odd, "x-stainless-read-timeout")) as answer:
        assert answer.status == 200


async def test_a_stream_that_takes_longer_ends_with_an_error_event(gateway):
    async def stream(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        while True:
            await response.write(b"data: 1\n\n")
            await asyncio.sleep(0.02)

    gateway.fake.routes[CHAT] = stream
    text = ""

    async def told(limit_s: float) -> None:
        nonlocal text
        async with gateway.post(CHAT, json={}, headers=waits(gateway, str(limit_s))) as answer:
            assert answer.status == 200
            text = await answer.text()

    await patiently(told)
    assert text.startswith("data: 1\n\n") and text.rstrip().splitlines()[-2] == "event: error"
    assert "deadline_exceeded" in text
    await until(lambda: gateway.fake.cancelled[-1:] == [CHAT])


async def test_a_stream_may_take_longer_than_openais_clients_wait_for_its_next_piece(gateway):
    async def stream(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for _ in range(8):
            await response.write(b"data: 1\n\n")
            await asyncio.sleep(float(request.query["limit"]) / 6)
        return response

    async def begun(limit_s: float) -> None:
        headers = waits(gateway, str(limit_s), "x-stainless-read-timeout")
        async with gateway.post(f"{CHAT}?limit={limit_s}", json={}, headers=headers) as answer:
            assert answer.status == 200
            assert await answer.text() == "data: 1\n\n" * 8

    gateway.fake.routes[CHAT] = stream
    await patiently(begun, (0.6, 3.0, 30.0))


async def test_one_clients_deadline_is_none_of_the_others_who_want_the_same(gateway):
    path, go = "/v1/translations", asyncio.Event()

    async def slow(_: web.Request) -> web.Response:
        await go.wait()
        return web.json_response({"ok": True})

    async def ask(text: str, headers) -> int:
        async with gateway.post(path, json={"text": text}, headers=headers) as answer:
            await answer.read()
            return answer.status

    async def together(limit_s: float) -> None:
        gateway.fake.seen.clear()
        hasty = asyncio.create_task(ask(str(limit_s), waits(gateway, str(limit_s))))
        await until(lambda: gateway.fake.calls(path) or hasty.done())
        patient = asyncio.create_task(ask(str(limit_s), gateway.auth))
        flights = gateway.edge._cached._flights
        await until(lambda: any(len(flight._at) == 2 for flight in flights.values()) or hasty.done())
        both = not hasty.done()
        assert await hasty == 504
        if not both:
            patient.cancel()
        assert both, "the hasty one left before the patient one came"
        go.set()
        assert await patient == 200
        assert len(gateway.fake.calls(path)) == 1
        assert "x-request-timeout" not in gateway.fake.calls(path)[0].headers

    gateway.fake.routes[path] = slow
    await patiently(together, (0.5, 5.0, 30.0))
