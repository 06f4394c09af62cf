"""Models of all services share the machine's memory: idle ones leave, busy ones stay, what holds it is told."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.memory import Held, MemoryReport, leaving, read
from gateway.settings import Settings

from .conftest import serve_fake, serve_gateway

MIB = 2**20
WISH = "0123456789abcdef"


@dataclass
class Service:
    """What a fake service says of its models; `busy` ones refuse to leave."""

    held: list[dict[str, Any]] = field(default_factory=list)
    wishes: list[dict[str, Any]] = field(default_factory=list)
    busy: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)

    async def ready(self, _: web.Request) -> web.Response:
        told = {"held": self.held, "wishes": self.wishes}
        return web.json_response({"status": "ready", "model": "m", "device": "cpu", "memory": told})

    async def unload(self, request: web.Request) -> web.Response:
        model = request.path.split("/")[3]
        self.asked.append(model)
        self.tokens.append(request.headers["authorization"].removeprefix("Bearer "))
        if model in self.busy:
            return web.json_response({"error": {"message": "in use", "code": "conflict"}}, status=409)
        self.held = [row for row in self.held if row["model"] != model]
        return web.json_response({"id": model})


def held(model: str, mib: int, idle_s: float = 10.0, in_use: bool = False) -> dict[str, Any]:
    return {"model": model, "bytes": mib * MIB, "in_use": in_use, "idle_s": idle_s}


def wish(mib: int, model: str = "wanted", wish_id: str = WISH) -> dict[str, Any]:
    return {"id": wish_id, "model": model, "bytes": mib * MIB}


@contextlib.asynccontextmanager
async def served(tmp_path, fake, chat: Service, vision: Service, budget_mib: int = 100):
    async with serve_fake() as one, serve_fake() as two:
        for server, service in ((one, chat), (two, vision)):
            server.routes["/readyz"] = service.ready
            for row in service.held:
                server.routes[f"/v1/models/{row['model']}/unload"] = service.unload
        told = {"upstream_chat": (one.url,), "upstream_vision": (two.url,), "memory_budget_mb": budget_mib}
        async with serve_gateway(fake, tmp_path, **told) as gateway:
            yield gateway


async def ask(gateway, service: str = "vision", wish_id: str = WISH) -> tuple[int, dict[str, Any]]:
    body = {"service": service, "wish": wish_id}
    async with gateway.client.post(gateway.url + "/api/memory", json=body) as answer:
        return answer.status, await answer.json()


async def test_a_load_that_fits_is_granted_and_nobody_leaves(fake, tmp_path):
    chat, vision = Service(held=[held("a", 60)]), Service(wishes=[wish(40)])
    async with served(tmp_path, fake, chat, vision) as gateway:
        assert await ask(gateway) == (200, {"granted": True})
        assert chat.asked == []


async def test_the_idle_model_longest_unused_leaves_for_another_services(fake, tmp_path):
    chat = Service(held=[held("old", 30, idle_s=50), held("new", 30, idle_s=5)])
    vision = Service(held=[held("busy", 30, idle_s=0, in_use=True)], wishes=[wish(40)])
    async with served(tmp_path, fake, chat, vision) as gateway:
        assert await ask(gateway) == (200, {"granted": True})
        assert (chat.asked, vision.asked) == (["old"], [])
        claims = gateway.parts.signer.verify(chat.tokens[0])
        assert (claims["typ"], claims["sub"], claims["admitted"]) == ("identity", "gateway", True)


async def test_what_answers_stays_and_the_refusal_names_it_and_the_remedy(fake, tmp_path):
    chat = Service(held=[held("talking", 80, in_use=True)])
    vision = Service(held=[held("idle", 10)], wishes=[wish(40)])
    async with served(tmp_path, fake, chat, vision) as gateway:
        status, body = await ask(gateway)
        error = body["error"]
        assert (status, error["code"]) == (503, "no_memory_for_model")
        for part in (
            "'wanted' needs 40 MiB of the 100 MiB",
            "talking (svc-chat, 80 MiB, in use)",
            "GATEWAY_MEMORY_BUDGET_MB",
        ):
            assert part in error["message"]
        assert (chat.asked, vision.asked) == ([], []), "nobody leaves in vain"


async def test_a_model_that_begins_to_answer_while_it_is_asked_stays_and_another_leaves(fake, tmp_path):
    chat = Service(held=[held("first", 50, idle_s=90), held("second", 40, idle_s=1)], busy={"first"})
    async with served(tmp_path, fake, chat, Service(wishes=[wish(50)])) as gateway:
        assert (await ask(gateway))[0] == 200
        assert chat.asked == ["first", "second"]


async def test_what_is_larger_than_the_budget_is_refused_for_good(fake, tmp_path):
    chat = Service(held=[held("a", 60)])
    async with served(tmp_path, fake, chat, Service(wishes=[wish(101)])) as gateway:
        async with gateway.client.post(
            gateway.url + "/api/memory", json={"service": "vision", "wish": WISH}
        ) as answer:
            assert answer.status == 503 and "retry-after" not in answer.headers
        assert chat.asked == []


async def test_two_loads_at_once_are_not_granted_the_same_memory(fake, tmp_path):
    second = "f" * 16
    chat, vision = Service(wishes=[wish(60, "one")]), Service(wishes=[wish(60, "two", second)])
    async with served(tmp_path, fake, chat, vision) as gateway:
        answers = await asyncio.gather(ask(gateway, "chat"), ask(gateway, "vision", second))
        assert sorted(status for status, _ in answers) == [200, 503]


async def test_a_grant_ends_with_the_model_and_a_repeated_question_costs_nothing(fake, tmp_path):
    chat, vision = Service(), Service(wishes=[wish(60)])
    async with served(tmp_path, fake, chat, vision) as gateway:
        assert (await ask(gateway))[0] == (await ask(gateway))[0] == 200
        assert gateway.parts.memory.public()["held_bytes"] == 60 * MIB
        vision.wishes = []  # and it holds nothing: its process died, or the load failed
        chat.wishes = [wish(60, "other", "e" * 16)]

        asked = [(await ask(gateway, "chat", "e" * 16))[0]]
        deadline = time.monotonic() + 60
        while (
            asked[-1] != 200 and time.monotonic() < deadline
        ):  # until a report younger than the grant was seen
            asked.append((await ask(gateway, "chat", "e" * 16))[0])
            await asyncio.sleep(0.1)
        assert asked[-1] == 200
        assert gateway.parts.memory.public()["held_bytes"] == 60 * MIB


async def test_only_what_the_service_itself_reports_is_granted(fake, tmp_path):
    async with served(tmp_path, fake, Service(), Service(wishes=[wish(10)])) as gateway:
        assert (await ask(gateway, wish_id="d" * 16))[0] == 404
        assert (await ask(gateway, service="chat"))[0] == 404
        for body in ({}, {"service": "gateway", "wish": WISH}, {"service": "vision", "wish": "x"}):
            async with gateway.client.post(gateway.url + "/api/memory", json=body) as answer:
                assert answer.status == 400, body


async def test_the_status_tells_who_holds_how_much(fake, tmp_path):
    async with served(tmp_path, fake, Service(held=[held("a", 60)]), Service()) as gateway:
        async with asyncio.timeout(60):
            while True:
                async with gateway.get("/api/status") as answer:
                    memory = (await answer.json())["memory"]
                if memory["held"]:
                    break
        assert (memory["budget_bytes"], memory["held_bytes"]) == (100 * MIB, 60 * MIB)
        assert memory["held"][0] == {
            "service": "chat", "model": "a", "bytes": 60 * MIB, "in_use": False, "idle_s": 10.0
        }  # fmt: skip


@given(
    st.lists(st.tuples(st.integers(0, 50), st.booleans(), st.floats(0, 1e6)), max_size=8), st.integers(1, 200)
)
def test_those_that_leave_are_idle_enough_and_none_in_vain(models, missing):
    there = [Held("chat", str(at), size, used, idle) for at, (size, used, idle) in enumerate(models)]
    chosen = leaving(there, missing)
    idle = sum(one.held_bytes for one in there if not one.in_use)
    if chosen is None:
        assert idle < missing
        return
    freed = sum(one.held_bytes for one in chosen)
    assert freed >= missing and not any(one.in_use for one in chosen)
    assert all(freed - one.held_bytes < missing for one in chosen)


@pytest.mark.parametrize(
    "told",
    [None, [], {"held": 3}, {"held": [{"model": 1, "bytes": 2}, {"model": "a", "bytes": True}, {"model": "a", "bytes": -1}]},
     {"held": [{"model": "a", "bytes": 1, "idle_s": "x"}], "wishes": [{"id": 1, "model": "a", "bytes": 1}]}],
)  # fmt: skip
def test_a_report_of_another_shape_holds_nothing(told):
    assert read("chat", told) == MemoryReport()


def test_the_budget_is_the_memory_less_the_reserve(tmp_path):
    whole = Settings(data_dir=tmp_path, memory_reserve_mb=1).memory_budget_bytes + MIB
    assert Settings(data_dir=tmp_path).memory_budget_bytes == whole - whole // 5
    assert Settings(data_dir=tmp_path, memory_budget_mb=7).memory_budget_bytes == 7 * MIB
