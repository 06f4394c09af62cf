"""A call with an `Idempotency-Key` is made once, however often it is sent."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import aiohttp
import pytest
from aiohttp import web
from sqlalchemy.exc import OperationalError

from gateway.domain.idempotency import is_kept, read_key
from gateway.engine.database import connect
from gateway.engine.ledger import LEASE_S, Ledger, Outcome
from servicekit.errors import BadRequest, KeyReused
from tests import postgres_server
from tests.gateway_process import AUTH, GatewayProcess

from .conftest import serve_gateway, until
from .test_gateway_auth import member

CHAT = "/v1/chat/completions"
ASK = {"messages": [{"role": "user", "content": "oi"}]}


def keyed(gateway, key: str = "k-1", **more: str) -> dict[str, str]:
    return gateway.auth | {"Idempotency-Key": key} | more


async def ask(gateway, path: str = CHAT, body=ASK, key: str = "k-1", **more):
    headers = more.pop("headers", None) or keyed(gateway, key)
    async with gateway.post(path, json=body, headers=headers, **more) as answer:
        return answer.status, answer.headers.get("idempotent-replayed"), await answer.read()


def counting(gateway, path: str = CHAT, *, after: asyncio.Event | None = None, status: int = 200):
    """Answer with the number of the call."""

    async def answer(_: web.Request) -> web.Response:
        number = len(gateway.fake.calls(path))
        if after is not None:
            await after.wait()
        return web.json_response({"call": number}, status=status, headers={"X-Kept": "1"})

    gateway.fake.routes[path] = answer


async def test_the_second_call_gets_the_first_ones_answer(gateway):
    counting(gateway)
    first, again = await ask(gateway), await ask(gateway)
    assert first == (200, None, b'{"call": 1}') and again == (200, "true", b'{"call": 1}')
    async with gateway.post(CHAT, json=ASK, headers=keyed(gateway)) as answer:
        assert answer.headers["x-kept"] == "1" and answer.content_type == "application/json"
        assert answer.headers.getall("content-length") == ["11"]
    assert len(gateway.fake.calls(CHAT)) == 1
    assert gateway.fake.calls(CHAT)[0].headers["idempotency-key"] == "k-1"


async def test_another_body_under_the_same_key_is_refused(gateway):
    counting(gateway)
    await ask(gateway)
    status, _, body = await ask(gateway, body={"messages": []})
    assert status == 422 and b"idempotency_key_reused" in body
    status, _, _ = await ask(gateway, path=CHAT + "?x=1")
    assert status == 422 and len(gateway.fake.calls(CHAT)) == 1


async def test_another_key_route_or_caller_is_another_call(gateway):
    counting(gateway)
    _, ana = await member(gateway)
    await ask(gateway)
    assert (await ask(gateway, key="k-2"))[1] is None
    assert (await ask(gateway, headers=ana | {"Idempotency-Key": "k-1"}))[2] == b'{"call": 3}'
    assert (await ask(gateway, path="/v1/personas"))[0] == 200
    assert len(gateway.fake.calls("/v1/personas")) == 1


async def test_a_hundred_calls_at_once_make_one(gateway):
    go = asyncio.Event()
    counting(gateway, after=go)
    calls = [asyncio.create_task(ask(gateway)) for _ in range(100)]
    await until(lambda: gateway.fake.calls(CHAT))
    await asyncio.sleep(0.2)
    go.set()
    found = await asyncio.gather(*calls)
    assert {(status, body) for status, _, body in found} == {(200, b'{"call": 1}')}
    assert [replayed for _, replayed, _ in found].count(None) == 1
    assert len(gateway.fake.calls(CHAT)) == 1


async def test_while_it_is_under_way_another_body_is_refused_and_a_long_wait_is_a_409(fake, tmp_path):
    async with serve_gateway(fake, tmp_path, idempotency_wait_s=0.3) as gateway:
        go = asyncio.Event()
        counting(gateway, after=go)
        first = asyncio.create_task(ask(gateway))
        await until(lambda: fake.calls(CHAT))
        assert (await ask(gateway, body={}))[0] == 422
        async with gateway.post(CHAT, json=ASK, headers=keyed(gateway)) as answer:
            assert answer.status == 409 and int(answer.headers["Retry-After"]) >= 1
            assert (await answer.json())["error"]["code"] == "idempotency_key_in_use"
        go.set()
        assert (await first)[0] == 200


async def test_the_call_goes_on_when_its_client_leaves(gateway):
    go = asyncio.Event()
    counting(gateway, after=go)
    first = asyncio.create_task(ask(gateway))
    await until(lambda: gateway.fake.calls(CHAT))
    first.cancel()
    await asyncio.sleep(0.1)
    go.set()
    assert await ask(gateway) == (200, "true", b'{"call": 1}')
    assert len(gateway.fake.calls(CHAT)) == 1 and not gateway.fake.cancelled


@pytest.mark.parametrize(
    ("status", "kept"), [(200, True), (202, True), (400, True), (404, True), (429, False), (500, False)]
)
async def test_outcomes_are_kept_and_failures_are_tried_again(gateway, status, kept):
    counting(gateway, status=status)
    first, again = await ask(gateway), await ask(gateway)
    assert first[0] == again[0] == status and (first[2] == again[2]) is kept is is_kept(status)


async def test_a_service_that_does_not_answer_leaves_the_key_free(fake, tmp_path, unused_tcp_port):
    dead = f"http://127.0.0.1:{unused_tcp_port}"
    async with serve_gateway(fake, tmp_path, upstream_chat=(dead,)) as gateway:
        assert (await ask(gateway))[0] == 503
        gateway.parts.upstreams.endpoints["chat"][0].url = fake.url
        assert (await ask(gateway))[:2] == (200, None)


async def test_a_stream_is_told_again_event_by_event(gateway):
    go = asyncio.Event()

    async def stream(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b"data: 1\n\n")
        await go.wait()
        await response.write(b"data: 2\n\n")
        return response

    gateway.fake.routes[CHAT] = stream
    async with gateway.post(CHAT, json=ASK, headers=keyed(gateway)) as answer:
        assert await asyncio.wait_for(answer.content.readany(), 60) == b"data: 1\n\n"
        async with gateway.post(CHAT, json=ASK, headers=keyed(gateway)) as second:
            assert await asyncio.wait_for(second.content.readany(), 60) == b"data: 1\n\n"
            go.set()
            assert await second.content.read() == b"data: 2\n\n"
        assert await answer.content.read() == b"data: 2\n\n"
    async with gateway.post(CHAT, json=ASK, headers=keyed(gateway)) as third:
        assert third.content_type == "text/event-stream" and third.headers["idempotent-replayed"] == "true"
        assert await third.text() == "data: 1\n\ndata: 2\n\n"
    assert len(gateway.fake.calls(CHAT)) == 1


async def test_a_stream_that_breaks_off_is_not_kept(gateway):
    async def stream(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b"data: 1\n\n")
        await asyncio.sleep(0.05)
        assert request.transport is not None
        request.transport.close()
        return response

    gateway.fake.routes[CHAT] = stream
    status, _, body = await ask(gateway)
    assert status == 200 and b"event: error" in body
    counting(gateway)
    assert (await ask(gateway))[:2] == (200, None)


async def test_an_answer_too_large_to_keep_is_given_once_and_then_refused_clearly(fake, tmp_path):
    async def large(_: web.Request) -> web.Response:
        return web.Response(body=b"x" * 3_000_000)

    fake.routes[CHAT] = large
    async with serve_gateway(fake, tmp_path, idempotency_max_bytes=1_000_000) as gateway:
        assert await ask(gateway) == (200, None, b"x" * 3_000_000)
        status, _, body = await ask(gateway)
        assert status == 409 and b"idempotent_answer_not_kept" in body and b"new key" in body
        async with gateway.post(CHAT, data=b"x" * 1_000_001, headers=keyed(gateway, "k-2")) as answer:
            assert answer.status == 413 and (await answer.json())["error"]["param"] == "Idempotency-Key"
    assert len(fake.calls(CHAT)) == 1


@pytest.mark.parametrize("wrong", ["", '""', "a b", "x" * 256, "ção"])
async def test_a_key_that_is_none_is_a_400(gateway, wrong):
    status, _, body = await ask(gateway, headers=gateway.auth | {"Idempotency-Key": wrong})
    assert status == 400 and b"Idempotency-Key" in body and not gateway.fake.calls(CHAT)


def test_a_quoted_key_is_the_same_as_a_bare_one():
    assert read_key('"8e03978e-40d5"') == read_key(" 8e03978e-40d5 ") == "8e03978e-40d5"
    with pytest.raises(BadRequest):
        read_key("\x7f")


async def test_services_that_keep_keys_themselves_get_every_call(gateway):
    counting(gateway, "/v1/documents")
    assert (await ask(gateway, "/v1/documents"))[1] is None
    assert (await ask(gateway, "/v1/documents"))[2] == b'{"call": 2}'


async def test_other_methods_and_cached_calls_take_no_notice(gateway):
    async with gateway.get("/v1/personas", headers=keyed(gateway)) as answer:
        assert answer.status == 200
    async with gateway.get("/v1/personas", headers=keyed(gateway)) as answer:
        assert "idempotent-replayed" not in answer.headers
    path = "/v1/translations"
    counting(gateway, path)
    assert await ask(gateway, path) == (200, None, b'{"call": 1}')
    assert await ask(gateway, path) == (200, "true", b'{"call": 1}')


async def test_a_database_that_cannot_be_written_refuses_keys_and_nothing_else(gateway, monkeypatch):
    def broken(*_: object) -> None:
        raise OperationalError("insert", {}, Exception("disk full"))

    ledger = gateway.parts.keeper._ledger
    monkeypatch.setattr(ledger, "claim", broken)
    async with gateway.post(CHAT, json=ASK, headers=keyed(gateway)) as answer:
        assert answer.status == 503 and int(answer.headers["Retry-After"]) >= 1
        assert "disk full" not in await answer.text()
    async with gateway.post(CHAT, json=ASK) as answer:
        assert answer.status == 200
    monkeypatch.undo()
    monkeypatch.setattr(ledger, "finish", broken)
    counting(gateway)
    assert (await ask(gateway, key="k-2"))[0] == 200  # told all the same


async def test_a_stopping_gateway_waits_for_a_call_whose_client_left(fake, tmp_path):
    go = asyncio.Event()
    async with serve_gateway(fake, tmp_path) as gateway:
        counting(gateway, after=go)
        first = asyncio.create_task(ask(gateway))
        await until(lambda: fake.calls(CHAT))
        first.cancel()
        asyncio.get_running_loop().call_later(0.3, go.set)
    async with serve_gateway(fake, tmp_path) as gateway:
        assert await ask(gateway) == (200, "true", b'{"call": 1}')


async def test_an_account_takes_its_answers_along(gateway):
    counting(gateway)
    user, ana = await member(gateway)
    assert (await ask(gateway, headers=ana | {"Idempotency-Key": "k-1"}))[0] == 200
    async with gateway.client.delete(
        f"{gateway.url}/auth/users/{user['id']}", headers=gateway.auth
    ) as answer:
        assert answer.status == 204
    with gateway.parts.keeper._ledger._engine.connect() as db:
        assert not db.exec_driver_sql("select count(*) from idempotent_calls").scalar_one()


async def test_two_gateways_on_one_database_make_one_call(fake, tmp_path):
    url = f"sqlite:///{tmp_path / 'shared.db'}"
    go = asyncio.Event()
    async with (
        serve_gateway(fake, tmp_path / "a", database_url=url) as one,
        serve_gateway(fake, tmp_path / "a", database_url=url) as two,
    ):
        counting(one, after=go)
        first = asyncio.create_task(ask(one))
        await until(lambda: fake.calls(CHAT))
        second = asyncio.create_task(ask(two))
        await asyncio.sleep(0.4)
        go.set()
        assert await first == (200, None, b'{"call": 1}')
        assert await second == (200, "true", b'{"call": 1}')
    assert len(fake.calls(CHAT)) == 1


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def postgres():
    with postgres_server.running() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def ledgers(request, tmp_path):
    """Two processes on one database, and their clock."""
    kind = request.param
    url = f"sqlite:///{tmp_path / 'x.db'}" if kind == "sqlite" else request.getfixturevalue("postgres")
    engines, clock = [connect(url), connect(url)], Clock()
    made = [Ledger(engine, keep_s=100, most_bytes=1000, clock=clock) for engine in engines]
    yield *made, clock
    clock.now += 1e6
    made[0].purge()
    for engine in engines:
        engine.dispose()


def test_of_many_who_claim_at_once_one_makes_the_call(ledgers):
    one, other, _ = ledgers
    with ThreadPoolExecutor(20) as pool:
        claims = [pool.submit((one, other)[n % 2].claim, "id", "ana", "f") for n in range(40)]
    assert [claim.result() for claim in claims].count(True) == 1


def test_a_call_whose_process_died_is_made_by_the_next_who_asks(ledgers):
    dead, alive, clock = ledgers
    assert dead.claim("id", "ana", "f") is True
    assert alive.claim("id", "ana", "f") is False
    clock.now += LEASE_S - 1
    dead.renew()
    clock.now += 2
    assert alive.claim("id", "ana", "f") is False
    clock.now += LEASE_S
    assert alive.claim("id", "ana", "f") is True
    dead.finish("id", Outcome(200, [], b"late"))  # it was only slow: what it says counts no more
    alive.finish("id", Outcome(200, [(b"x", b"\xe9")], b"mine"))
    assert dead.claim("id", "ana", "f") == Outcome(200, [(b"x", b"\xe9")], b"mine")


def test_what_is_kept_ends_after_its_time_and_has_a_limit(ledgers):
    ledger, _, clock = ledgers
    for name, size in (("a", 600), ("b", 600)):
        assert ledger.claim(name, "ana", "f") is True
        ledger.finish(name, Outcome(200, [], b"x" * size))
    assert ledger.claim("a", "ana", "f") == Outcome(200, [], b"x" * 600)
    assert ledger.claim("b", "ana", "f") == Outcome(200, [], None)
    with pytest.raises(KeyReused):
        ledger.claim("a", "ana", "other")
    clock.now += 101
    assert ledger.claim("a", "ana", "other") is True
    assert ledger.purge() == 1


async def test_a_caller_has_only_so_many_keys(fake, tmp_path):
    async with serve_gateway(fake, tmp_path, idempotency_max_keys=3) as gateway:
        assert [(await ask(gateway, key=f"k-{n}"))[0] for n in range(3)] == [200] * 3
        async with gateway.post(CHAT, json=ASK, headers=keyed(gateway, "k-3")) as answer:
            assert answer.status == 429 and int(answer.headers["Retry-After"]) >= 1
            assert (await answer.json())["error"]["code"] == "too_many_idempotency_keys"
        assert (await ask(gateway, key="k-0"))[1] == "true"
        _, ana = await member(gateway)
        assert (await ask(gateway, headers=ana | {"Idempotency-Key": "k-3"}))[0] == 200


def test_a_freed_key_and_a_forgotten_account_leave_nothing(ledgers):
    ledger, _, _ = ledgers
    assert ledger.claim("a", "ana", "f") is True
    ledger.release("a")
    assert ledger.claim("a", "ana", "g") is True
    ledger.finish("a", Outcome(200, [], b"x"))
    ledger.forget("ana")
    assert ledger.claim("a", "ana", "h") is True


async def test_after_kill_9_a_told_answer_is_told_again_and_an_unfinished_call_is_made_again(fake, tmp_path):
    async def answer(_: web.Request) -> web.Response:
        number = len(fake.calls(CHAT))
        if number == 2:
            await asyncio.Event().wait()
        return web.json_response({"call": number})

    fake.routes[CHAT] = answer
    async with GatewayProcess(fake.url, tmp_path) as gateway:
        assert await post(gateway.url, "done") == (200, None, b'{"call": 1}')
        lost = asyncio.create_task(post(gateway.url, "lost"))
        await until(lambda: len(fake.calls(CHAT)) == 2)
        gateway.kill()
        with pytest.raises(aiohttp.ClientError):
            await lost
        await gateway.start()
        assert await post(gateway.url, "done") == (200, "true", b'{"call": 1}')
        # Nobody can say any more whether that call was made; its lease runs out within 15 s, then it is made anew.
        assert await post(gateway.url, "lost") == (200, None, b'{"call": 3}')
        assert await post(gateway.url, "lost") == (200, "true", b'{"call": 3}')


async def post(url: str, key: str):
    headers = AUTH | {"Idempotency-Key": key}
    async with (
        aiohttp.ClientSession(headers=headers) as client,
        client.post(url + CHAT, json=ASK) as answer,
    ):
        return answer.status, answer.headers.get("idempotent-replayed"), await answer.read()
