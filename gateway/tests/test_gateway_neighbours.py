"""The truth about the services, in time, whatever they do; and one request id through all logs."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import time
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web

from gateway.engine import poller
from gateway.engine.endpoints import Endpoint
from gateway.settings import SERVICES
from servicekit.auth import Identity
from servicekit.logs import JsonFormatter

from .conftest import in_time, patiently, serve_fake, serve_gateway, until
from .odd import ANSWERS, MIB, REFUSES, serve_odd
from .services import RealService

pytestmark = pytest.mark.usefixtures("in_earnest")
ODD = ("chat", "rag")
MERGED = ("/api/status", "/readyz", "/v1/models", "/v1/jobs", "/openapi.json")
SAID_READY = ("answers wrong types", "answers deep JSON")
SAID_NOTHING_WRONG = ("answers a number", *SAID_READY)
CALLS = {
    "chat": "/v1/chat/completions",
    "image-gen": "/v1/images/generations",
    "vision": "/v1/vision/questions",
    "translate": "/v1/translations/batch",
    "tts": "/text-to-audio",
    "rag": "/v1/search",
}


def well(fake: Any) -> None:
    """Let the other services have a model, a job and a description."""

    async def listed(_: web.Request) -> web.Response:
        return web.json_response({"data": [{"id": "well", "object": "model", "created_at": "1"}]})

    async def described(_: web.Request) -> web.Response:
        return web.json_response({"paths": {"/v1/images/generations": {"post": {}}}})

    fake.routes |= {"/v1/models": listed, "/v1/jobs": listed, "/openapi.json": described}


@pytest.mark.parametrize("how", [*ANSWERS, REFUSES])
async def test_what_is_told_of_all_is_true_and_in_time_whatever_two_of_them_do(fake, tmp_path, how):
    well(fake)
    async with serve_odd(how) as odd:
        urls = {f"upstream_{name}": (odd.url,) for name in ODD}
        async with serve_gateway(fake, tmp_path, **urls) as gateway:
            for path in MERGED:

                def right(status: int, body: dict[str, Any], path: str = path) -> None:
                    assert status == (503 if path == "/readyz" and how not in SAID_READY else 200), path
                    check(path, body, how)

                await in_time(gateway, path, right)
            assert odd.sent < 64 * MIB  # of 10 GB: what fits into the sockets, and the limit


def check(path: str, body: dict[str, Any], how: str) -> None:
    """Check that the odd ones are told of and the others are there."""
    if path == "/api/status":
        services = body["services"]
        assert all(services[name]["status"] == "ready" for name in SERVICES if name not in ODD)
        for name in ODD:
            if how in SAID_READY:
                told = {n: services[name][n] for n in ("status", "model", "device", "reason")}
                assert told == {"status": "ready", "model": None, "device": None, "reason": None}
                assert services[name]["queue"] == {"running": 0, "waiting": 0}
            else:
                assert services[name]["status"] in ("down", "not_ready") and services[name]["reason"]
    elif path == "/v1/models":
        assert {entry["service"] for entry in body["data"]} == {
            f"svc-{name}" for name in SERVICES if name not in ODD
        }
        assert body["missing"] == ([] if how in SAID_NOTHING_WRONG else list(ODD))
    elif path == "/v1/jobs":
        assert {job["id"] for job in body["data"]} == {"well"}  # of the other services
        assert body["missing"] == ([] if how in SAID_NOTHING_WRONG else list(ODD))
    elif path == "/openapi.json":
        assert "/v1/images/generations" in body["paths"] and "/v1/jobs" in body["paths"]
        if how != "answers wrong types":
            assert body["x-missing"] == [f"svc-{name}" for name in ODD]


async def test_a_slow_service_is_told_as_slow_and_its_last_lists_are_kept(fake, tmp_path):
    well(fake)
    slow = asyncio.Event()

    async with serve_fake() as other:
        well(other)

        async def late(_: web.Request) -> web.Response:
            if slow.is_set():
                await asyncio.sleep(30)
            return web.json_response({"status": "ready", "data": [{"id": "kept"}], "paths": {"/kept": {}}})

        other.routes |= dict.fromkeys(("/readyz", "/v1/models", "/openapi.json"), late)
        async with serve_gateway(fake, tmp_path, upstream_vision=(other.url,)) as gateway:
            await until(lambda: gateway.parts.poller.states["vision"].status == "ready")

            def listed(_: int, body: dict[str, Any]) -> None:
                assert "kept" in {entry["id"] for entry in body["data"]}

            def described(_: int, body: dict[str, Any]) -> None:
                assert "/kept" in body["paths"] and body["x-missing"] == []

            await in_time(gateway, "/v1/models", listed)
            await in_time(gateway, "/openapi.json", described)
            slow.set()
            await in_time(gateway, "/v1/models", listed)
            await in_time(gateway, "/openapi.json", described)
            await until(lambda: gateway.parts.poller.states["vision"].status == "slow")


async def test_a_description_that_comes_late_is_there_for_the_next_reader(fake, tmp_path):
    async with serve_fake() as other:
        go = asyncio.Event()

        async def late(_: web.Request) -> web.Response:
            await go.wait()
            return web.json_response({"paths": {"/late": {}}})

        def there(_: int, body: dict[str, Any]) -> None:
            assert "/late" in body["paths"]

        other.routes["/openapi.json"] = late
        async with serve_gateway(fake, tmp_path, upstream_tts=(other.url,)) as gateway:
            assert "svc-tts" in (await in_time(gateway, "/openapi.json"))["x-missing"]
            go.set()
            await in_time(gateway, "/openapi.json", there)


async def test_a_list_kept_for_one_caller_is_not_shown_to_another(fake, tmp_path):
    slow = asyncio.Event()

    async def own(request: web.Request) -> web.Response:
        if slow.is_set():
            await asyncio.sleep(30)
        return web.json_response({"data": [{"id": "private"}]})

    fake.routes["/v1/models"] = own
    ana = Identity("1", "ana", "member", frozenset({"*"}), "first token")
    async with serve_gateway(fake, tmp_path) as gateway:
        catalogue = gateway.parts.catalogue
        deadline = time.monotonic() + 60
        while not (await catalogue.models(ana)).entries:
            assert time.monotonic() < deadline
        slow.set()
        assert (await catalogue.models(replace(ana, token="the next minute's"))).entries
        for other in ({"user_id": "2"}, {"role": "owner"}, {"scopes": frozenset({"models"})}):
            assert (await catalogue.models(replace(ana, **other))).entries == []


async def test_lists_that_are_too_old_to_be_shown_are_let_go(fake, tmp_path, monkeypatch):
    well(fake)
    monkeypatch.setattr("gateway.engine.catalogue._KEEP_S", 0.0)
    async with serve_gateway(fake, tmp_path) as gateway:
        for number in range(20):
            await gateway.parts.catalogue.models(Identity(str(number), "ana", "member", frozenset()))
        assert len({key[2] for key in gateway.parts.catalogue._kept}) == 1


async def test_a_service_killed_under_a_running_gateway_is_told_within_two_seconds(fake, tmp_path):
    async with serve_gateway(fake, tmp_path) as gateway:
        async with serve_fake() as other:
            gateway.parts.upstreams.endpoints["tts"] = (Endpoint(other.url, "svc-tts#1"),)
            await until(lambda: gateway.parts.poller.states["tts"].status == "ready")
        await until(lambda: gateway.parts.poller.states["tts"].status == "down")  # without being asked
        assert poller._EVERY_S + poller._BUDGET_S + poller._MARGIN_S < 2
        body = await in_time(gateway, "/api/status")
        assert body["services"]["tts"]["status"] == "down"
        async with gateway.get("/metrics") as answer:
            assert 'upstream_ready{service="gateway",upstream="tts"} 0.0' in await answer.text()


@pytest.mark.parametrize("victim", SERVICES)
async def test_any_service_down_gives_503_on_its_own_routes_only(fake, tmp_path, victim, unused_tcp_port):
    dead = {"upstream_" + victim.replace("-", "_"): (f"http://127.0.0.1:{unused_tcp_port}",)}
    async with serve_gateway(fake, tmp_path, **dead) as gateway:
        for service, path in CALLS.items():
            async with gateway.post(path, json={}) as answer:
                if service != victim:
                    assert answer.status == 200, path
                    continue
                assert answer.status == 503 and int(answer.headers["Retry-After"]) >= 1
                assert f"svc-{victim}" in (await answer.json())["error"]["message"]
        async with gateway.get("/metrics") as answer:
            text = await answer.text()
    failed = f'upstream_failures_total{{reason="service_down",service="gateway",upstream="{victim}"}} 1.0'
    assert (
        failed in text
        or failed.replace('{reason="service_down",service="gateway"', '{service="gateway"').replace(
            '"}', '",reason="service_down"}'
        )
        in text
    )


@pytest.mark.parametrize(
    ("how", "status"),
    [("hangs", 504), ("resets", 503), ("closes", 503), ("speaks no HTTP", 502), ("breaks off", 503)],
)
async def test_a_call_to_an_odd_service_is_a_clear_error(fake, tmp_path, how, status):
    async with (
        serve_odd(how) as odd,
        serve_gateway(
            fake, tmp_path, upstream_chat=(odd.url,), read_timeout_s=1.0 if how == "hangs" else 60.0
        ) as gateway,
    ):
        async with gateway.post(CALLS["chat"], json={}) as answer:
            assert answer.status == status
            assert "svc-chat" in (await answer.json())["error"]["message"]
            assert status != 503 or int(answer.headers["Retry-After"]) >= 1

        async def others(_: float) -> None:
            async with gateway.post(CALLS["rag"], json={}) as answer:
                assert answer.status == 200

        await patiently(others)


async def test_one_request_id_is_in_both_logs_and_in_the_answer(fake, tmp_path):
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(JsonFormatter("both"))
    logging.getLogger().addHandler(handler)
    level = logging.getLogger().level
    logging.getLogger().setLevel(logging.INFO)
    try:
        async with (
            RealService(tmp_path) as service,
            serve_gateway(fake, tmp_path, upstream_chat=(service.url,)) as gateway,
        ):
            headers = gateway.auth | {"x-request-id": "one-id-for-all"}
            async with gateway.get("/v1/personas", headers=headers) as answer:
                assert answer.status == 200 and answer.headers["x-request-id"] == "one-id-for-all"
            async with gateway.get("/v1/personas") as answer:
                made = answer.headers["x-request-id"]
            async with gateway.get("/v1/models", headers=gateway.auth | {"x-request-id": "merged-id"}):
                pass
    finally:
        logging.getLogger().removeHandler(handler)
        logging.getLogger().setLevel(level)
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    said = {(line["module"], line.get("request_id")) for line in lines if line["message"] == "request"}
    for request_id in ("one-id-for-all", made, "merged-id"):
        assert {("edge", request_id), ("asgi", request_id)} <= said


async def test_the_catalogue_of_all_services_is_searched_at_once(fake, tmp_path):
    rows = [
        {"id": "a", "task": "chat", "license": "MIT", "languages": ["pt-BR"], "runnable": True},
        {
            "id": "b",
            "task": "speech",
            "license": "CC-BY-NC-4.0",
            "noncommercial": True,
            "languages": ["pt-BR"],
        },
    ]
    fake.routes["/v1/catalogue"] = lambda _: _json({"data": rows})
    async with serve_gateway(fake, tmp_path) as gateway:

        async def found(query: str) -> set[tuple[str, str]]:
            async with gateway.get(f"/v1/catalogue?{query}") as answer:
                return {(row["service"], row["id"]) for row in (await answer.json())["data"]}

        assert await found("service=svc-chat") == {("svc-chat", "a"), ("svc-chat", "b")}
        assert await found("service=svc-tts&language=pt&commercial=true&runnable=true") == {("svc-tts", "a")}
        assert await found("service=svc-tts&q=nothing") == set()
        for wrong in ("colour=red", "max_size_bytes=much", "service=svc-code"):
            async with gateway.get(f"/v1/catalogue?{wrong}") as answer:
                error = (await answer.json())["error"]
                assert answer.status == 400 and wrong.partition("=")[0] in error["message"], error


async def _json(body: object) -> web.Response:
    return web.json_response(body)
