"""A service that fails is left alone for a moment, one of several URLs is skipped, and little is asked twice."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.budget import RetryBudget
from gateway.engine.endpoints import Endpoint

from .conftest import Fake, serve_fake, serve_gateway, until

CHAT, PERSONAS = "/v1/chat/completions", "/v1/personas"
SHORT = {"circuit_failures": 3, "circuit_open_s": 0.3}


async def status(gateway, path=CHAT, method="POST", **more) -> int:
    headers = gateway.auth | more.pop("headers", {})
    async with gateway.client.request(method, gateway.url + path, headers=headers, **more) as answer:
        await answer.read()
        return answer.status


def always(code: int, **headers: str):
    async def answer(_: web.Request) -> web.Response:
        return web.json_response({"error": {}}, status=code, headers=headers)

    return answer


@contextlib.asynccontextmanager
async def two(folder, **more) -> AsyncIterator[tuple]:
    """A gateway whose svc-chat has two URLs."""
    async with (
        serve_fake() as one,
        serve_fake() as other,
        serve_gateway(one, folder, upstream_chat=(one.url, other.url), **more) as gateway,
    ):
        yield gateway, one, other


async def test_after_failures_in_a_row_calls_are_refused_at_once_and_only_that_services(fake, tmp_path):
    fake.routes[CHAT] = always(500)
    async with serve_gateway(fake, tmp_path, circuit_failures=3, circuit_open_s=60) as gateway:
        assert [await status(gateway) for _ in range(3)] == [500, 500, 500]
        async with gateway.post(CHAT, json={}) as answer:
            assert answer.status == 503 and int(answer.headers["Retry-After"]) >= 1
            error = (await answer.json())["error"]
        assert error["code"] == "service_down" and "svc-chat" in error["message"]
        assert len(fake.calls(CHAT)) == 3
        assert await status(gateway, "/v1/search") == 200
        async with gateway.get("/api/status") as answer:
            services = (await answer.json())["services"]
        assert services["chat"]["upstreams"] == [{"circuit": "open", "ready": True, "in_flight": 0}]
        assert services["rag"]["upstreams"][0]["circuit"] == "closed"
        async with gateway.client.get(gateway.url + "/metrics") as answer:
            text = await answer.text()
        assert 'upstream_closed_circuits{service="gateway",upstream="chat"} 0.0' in text
        assert 'upstream_opened_circuits_total{service="gateway",upstream="chat"} 1.0' in text


async def test_a_half_open_circuit_lets_one_call_through_and_its_success_closes_it(fake, tmp_path):
    fake.routes[CHAT] = always(500)
    async with serve_gateway(fake, tmp_path, **SHORT) as gateway:
        for _ in range(3):
            await status(gateway)
        go = asyncio.Event()

        async def slow(_: web.Request) -> web.Response:
            await go.wait()
            return web.json_response({})

        fake.routes[CHAT] = slow
        endpoint = gateway.parts.upstreams.endpoints["chat"][0]
        await until(lambda: endpoint.state == "half_open")
        probe = asyncio.create_task(status(gateway))
        await until(lambda: len(fake.calls(CHAT)) == 4)
        assert await status(gateway) == 503
        go.set()
        assert await probe == 200 and endpoint.state == "closed"
        assert await status(gateway) == 200


async def test_a_half_open_circuit_whose_call_fails_opens_again(fake, tmp_path):
    fake.routes[CHAT] = always(500)
    async with serve_gateway(fake, tmp_path, **SHORT) as gateway:
        for _ in range(3):
            await status(gateway)
        endpoint = gateway.parts.upstreams.endpoints["chat"][0]
        await until(lambda: endpoint.state == "half_open")

        async def fail(_: web.Request) -> web.Response:
            endpoint._breaker._recovery_timeout = 300  # it stays open until the test has looked
            return web.json_response({"error": {}}, status=500)

        fake.routes[CHAT] = fail
        assert await status(gateway) == 500
        assert endpoint.state == "open" and await status(gateway) == 503


@pytest.mark.parametrize(
    ("answer", "opens"),
    [
        (always(503, **{"x-request-id": "a"}), False),
        (always(502, **{"x-request-id": "a"}), False),
        (always(501), False),
        (always(400), False),
        (always(429), False),
        (always(503), True),
        (always(502), True),
    ],
)
async def test_what_a_service_says_itself_opens_no_circuit(fake, tmp_path, answer, opens):
    fake.routes[CHAT] = answer
    async with serve_gateway(fake, tmp_path, circuit_failures=3, circuit_open_s=60) as gateway:
        for _ in range(5):
            await status(gateway)
        assert gateway.parts.upstreams.endpoints["chat"][0].state == ("open" if opens else "closed")


async def test_a_service_that_is_gone_is_refused_at_once_and_answers_as_soon_as_it_is_back(
    tmp_path, unused_tcp_port
):
    async with serve_fake() as fake:
        dead = f"http://127.0.0.1:{unused_tcp_port}"
        async with serve_gateway(fake, tmp_path, upstream_chat=(dead,), circuit_open_s=60) as gateway:
            endpoint = gateway.parts.upstreams.endpoints["chat"][0]
            for _ in range(5):
                assert await status(gateway) == 503
            await until(lambda: endpoint.state == "open")
            endpoint.url = fake.url  # it is there again; nobody waits for the 60 s
            await until(lambda: endpoint.state == "closed")
            assert await status(gateway) == 200


async def test_clients_that_leave_and_uploads_that_are_too_large_are_no_failures(fake, tmp_path):
    async def never(_: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    async def endless():
        for _ in range(100):
            yield b"x" * 10_000

    fake.routes[CHAT] = never
    async with serve_gateway(
        fake, tmp_path, circuit_failures=1, circuit_open_s=60, max_body_bytes=100_000
    ) as gateway:
        endpoint = gateway.parts.upstreams.endpoints["chat"][0]
        call = asyncio.create_task(status(gateway))
        await until(lambda: fake.calls(CHAT))
        call.cancel()
        await until(lambda: endpoint.in_flight == 0)
        with contextlib.suppress(Exception):
            await status(gateway, "/v1/files", data=endless())
        await until(lambda: endpoint.in_flight == 0)
        assert endpoint.state == "closed" and not endpoint.troubled


async def test_a_client_who_waits_less_than_the_service_takes_is_no_failure_of_the_service(fake, tmp_path):
    async def slow(_: web.Request) -> web.Response:
        await asyncio.sleep(30)
        return web.Response()

    fake.routes[CHAT] = slow
    async with serve_gateway(fake, tmp_path, circuit_failures=1, circuit_open_s=60) as gateway:
        assert await status(gateway, headers={"x-request-timeout": "0.2"}) == 504
        assert await status(gateway, headers={"x-stainless-read-timeout": "0.2"}) == 504
        assert gateway.parts.upstreams.endpoints["chat"][0].state == "closed"


async def test_the_url_with_the_fewest_calls_is_asked(tmp_path):
    go = asyncio.Event()

    async def wait(_: web.Request) -> web.Response:
        await go.wait()
        return web.json_response({})

    async with two(tmp_path) as (gateway, one, other):
        one.routes[CHAT] = other.routes[CHAT] = wait
        calls = [asyncio.create_task(status(gateway)) for _ in range(10)]
        await until(lambda: len(one.calls(CHAT)) + len(other.calls(CHAT)) == 10)
        assert len(one.calls(CHAT)) == len(other.calls(CHAT)) == 5
        go.set()
        assert set(await asyncio.gather(*calls)) == {200}


async def test_a_url_that_says_it_is_not_ready_is_asked_last(tmp_path):
    async with two(tmp_path) as (gateway, one, other):
        one.routes["/readyz"] = always(503)
        await until(lambda: not gateway.parts.upstreams.endpoints["chat"][0].ready)
        for _ in range(6):
            assert await status(gateway) == 200
        assert (len(one.calls(CHAT)), len(other.calls(CHAT))) == (0, 6)
        async with gateway.get("/api/status") as answer:
            assert (await answer.json())["services"]["chat"]["status"] == "ready"


async def test_an_open_circuit_is_skipped_while_the_other_url_answers(tmp_path):
    async with two(tmp_path, circuit_failures=2, circuit_open_s=60) as (gateway, one, other):
        one.routes[CHAT] = always(500)
        found = Counter([await status(gateway) for _ in range(12)])
        assert found[500] <= 2 and found[200] >= 10
        other.routes[CHAT] = always(500)
        for _ in range(4):
            await status(gateway)
        assert await status(gateway) == 503


def dropping(fake: Fake, times: int):
    """Close the connection of the first so many calls without a word."""
    left = times

    async def answer(request: web.Request) -> web.Response:
        nonlocal left
        if left > 0:
            left -= 1
            assert request.transport is not None
            request.transport.close()
        return web.json_response({})

    for path in (CHAT, PERSONAS, PERSONAS + "/p"):
        fake.routes[path] = answer


@pytest.mark.parametrize(
    ("method", "path", "headers", "found", "sent"),
    [
        ("GET", PERSONAS, {}, 200, 2),
        ("DELETE", PERSONAS + "/p", {}, 200, 2),
        ("PUT", PERSONAS + "/p", {}, 200, 2),
        ("POST", CHAT, {"Idempotency-Key": "k"}, 200, 2),
        ("POST", CHAT, {}, 503, 1),
        ("PATCH", PERSONAS + "/p", {}, 503, 1),
    ],
)
async def test_only_what_may_be_sent_twice_is_retried(gateway, method, path, headers, found, sent):
    dropping(gateway.fake, 1)
    assert await status(gateway, path, method, json={}, headers=headers) == found
    assert len(gateway.fake.calls(path)) == sent


async def test_a_call_that_reached_nobody_is_sent_to_the_other_url_whatever_its_method(
    fake, tmp_path, unused_tcp_port
):
    urls = (f"http://127.0.0.1:{unused_tcp_port}", fake.url)
    async with serve_gateway(fake, tmp_path, upstream_chat=urls, circuit_failures=1000) as gateway:
        assert [await status(gateway) for _ in range(6)] == [200] * 6
        assert len(fake.calls(CHAT)) == 6


async def test_a_streamed_upload_is_not_sent_twice(gateway):
    async def body():
        yield b"x" * 100_000
        yield b"y" * 100_000

    dropping(gateway.fake, 1)
    assert await status(gateway, PERSONAS + "/p", "PUT", data=body()) == 503
    assert len(gateway.fake.calls(PERSONAS + "/p")) == 1


async def test_nothing_is_retried_when_an_answer_has_begun(gateway):
    async def half(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b"data: 1\n\n")
        await asyncio.sleep(0.05)
        assert request.transport is not None
        request.transport.close()
        return response

    gateway.fake.routes[PERSONAS] = half
    async with gateway.get(PERSONAS) as answer:
        assert answer.status == 200 and (await answer.text()).startswith("data: 1\n\n")
    assert len(gateway.fake.calls(PERSONAS)) == 1


async def test_retries_end_with_their_budget(fake, tmp_path):
    dropping(fake, 10_000)
    async with serve_gateway(fake, tmp_path, circuit_failures=100_000) as gateway:
        gateway.parts.poller._task.cancel()
        for _ in range(100):
            assert await status(gateway, PERSONAS, "GET") == 503
        sent = len(fake.calls(PERSONAS))
        assert 100 < sent <= 100 + 10 + 10
        async with gateway.client.get(gateway.url + "/metrics") as answer:
            assert (
                f'upstream_retried_calls_total{{service="gateway",upstream="chat"}} {float(sent - 100)}'
                in await answer.text()
            )


@given(st.lists(st.booleans(), max_size=300), st.floats(0.01, 0.5))
def test_a_budget_never_gives_more_than_its_share_and_what_it_saved(trouble, share):
    budget, taken = RetryBudget(share, 5), 0
    for calls, wanted in enumerate(trouble, 1):
        budget.earn()
        taken += wanted and budget.take()
        assert taken <= 5 + calls * share + 1e-6
    assert taken == budget.spent


def test_a_silent_url_is_given_up_only_after_a_while():
    endpoint = Endpoint("http://x", "svc-x#1", failures=5, open_s=60)
    endpoint.silent(1000)
    assert endpoint.state == "closed"
    endpoint.heard_at = time.monotonic() - 1001
    endpoint.silent(1000)
    assert endpoint.state == "open" and not endpoint.admits()
    endpoint.heard(ready=True)
    assert endpoint.state == "closed" and endpoint.admits()


def test_an_answer_of_readyz_does_not_mend_failing_calls():
    endpoint = Endpoint("http://x", "svc-x#1", failures=2, open_s=60)
    endpoint.failed(unreachable=False)
    endpoint.heard(ready=True)
    endpoint.failed(unreachable=False)
    endpoint.heard(ready=True)
    assert endpoint.state == "open"
