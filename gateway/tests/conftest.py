"""A real gateway on loopback with one fake server that plays all services."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
import uvicorn
from aiohttp import web

from gateway.api.edge import Edge
from gateway.api.protocol import Protocol
from gateway.app import create_edge
from gateway.engine import catalogue, descriptions, endpoints, limiter, memory, poller, wire
from gateway.parts import Parts, assemble
from gateway.settings import SERVICES, Settings
from tests.gateway_process import KEY

PASSWORD = "correct horse battery"


@dataclass
class Seen:
    """One request as a service saw it."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Fake:
    """One server in the place of every service; remembers what it saw."""

    url: str = ""
    seen: list[Seen] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    routes: dict[str, Callable[[web.Request], Awaitable[web.StreamResponse]]] = field(default_factory=dict)

    def calls(self, path: str) -> list[Seen]:
        return [seen for seen in self.seen if seen.path == path]

    async def answer(self, request: web.Request) -> web.StreamResponse:
        special = self.routes.get(request.path)
        try:
            if special and getattr(special, "raw", False):
                return await special(request)
            body = await request.read()
            self.seen.append(Seen(request.method, request.path_qs, dict(request.headers), body))
            if special:
                return await special(request)
            if request.path == "/readyz":
                return web.json_response({"status": "ready", "model": "tiny", "device": "cpu"})
            return web.json_response({"path": request.path_qs, "method": request.method, "got": len(body)})
        except asyncio.CancelledError:
            self.cancelled.append(request.path)
            raise


@contextlib.asynccontextmanager
async def serve_fake() -> AsyncIterator[Fake]:
    fake = Fake()
    app = web.Application(client_max_size=100 * 1024 * 1024)
    app.router.add_route("*", "/{rest:.*}", fake.answer)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    fake.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield fake
    finally:
        await runner.cleanup()


@dataclass
class Running:
    """A gateway that is serving."""

    url: str
    parts: Parts
    edge: Edge
    client: aiohttp.ClientSession
    fake: Fake

    @property
    def app(self) -> Any:
        return self.edge.own

    @property
    def auth(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {KEY}"}

    def get(self, path: str, **more: Any) -> Any:
        return self.client.get(self.url + path, **({"headers": self.auth} | more))

    def post(self, path: str, **more: Any) -> Any:
        return self.client.post(self.url + path, **({"headers": self.auth} | more))


@contextlib.asynccontextmanager
async def serve_gateway(
    fake: Fake, folder: Path, *, proxied: bool = False, **more: Any
) -> AsyncIterator[Running]:
    """Run a gateway; `proxied` believes this machine's `X-Forwarded-For`."""
    urls = {"upstream_" + name.replace("-", "_"): (fake.url,) for name in SERVICES}
    given = (
        {"data_dir": folder, "owner_password": PASSWORD, "owner_api_key": KEY, "redis_url": ""}
        | {"connect_timeout_s": 60.0}
        | urls
        | more
    )
    parts = assemble(Settings(**given))
    edge = create_edge(parts)
    config = uvicorn.Config(
        edge,
        port=0,
        http=Protocol,
        log_config=None,
        proxy_headers=proxied,
        timeout_graceful_shutdown=1,
        timeout_keep_alive=600,  # a client that was held up still finds its connection
    )
    server = uvicorn.Server(config)
    with contextlib.suppress(AttributeError):
        server.install_signal_handlers = lambda: None  # type: ignore[attr-defined, method-assign]
    task = asyncio.create_task(server._serve() if hasattr(server, "_serve") else server.serve())
    await until(lambda: server.started or task.done())
    port = server.servers[0].sockets[0].getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    many = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=many, cookie_jar=aiohttp.DummyCookieJar()) as client:
        try:
            yield Running(url, parts, edge, client, fake)
        finally:
            await client.close()
            server.should_exit = True
            await task


async def until(condition: Callable[[], Any], within_s: float = 60.0) -> None:
    """Wait until `condition` holds, or fail."""
    end = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        await asyncio.sleep(0.01)


async def patiently(
    attempt: Callable[[float], Awaitable[None]], limits_s: tuple[float, ...] = (0.3, 3.0, 30.0)
) -> None:
    """Try what must end within a limit that a busy machine may miss, each time with a wider one."""
    for limit_s in limits_s[:-1]:
        with contextlib.suppress(AssertionError, EOFError, OSError):
            await attempt(limit_s)
            return
    await attempt(limits_s[-1])


async def in_time(
    running: Running,
    path: str,
    right: Callable[[int, Any], None] = lambda status, body: None,
    within_s: float = 0.5,
) -> Any:
    """Return what `path` answers within `within_s`, once it is `right`: of many answers one must be both.

    The machine may be busy with other work, and a service that it holds up is told of as late.
    """
    deadline, why = time.monotonic() + 60, AssertionError("not asked")
    while time.monotonic() < deadline:
        start = time.monotonic()
        async with running.get(path) as answer:
            body = await answer.json()
        try:
            assert time.monotonic() - start < within_s, path
            right(answer.status, body)
        except AssertionError as error:
            why = error
            await asyncio.sleep(0.05)
        else:
            return body
    raise why


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Wait longer for services than in earnest: the machine may stand still. Not where that is the subject."""
    if "in_earnest" in request.fixturenames:
        return
    for owner, name, seconds in (
        (poller, "_BUDGET_S", 30.0), (poller, "LIVE_BUDGET_S", 30.0), (poller, "_FRESH_S", 60.0),
        (poller, "_DOWN_AFTER_S", 300.0), (catalogue, "BUDGET_S", 30.0), (descriptions, "BUDGET_S", 30.0),
        (descriptions, "_PATIENCE_S", 60.0), (memory, "_UNSEEN_S", 5.0), (endpoints, "_PROBE_S", 300.0),
        (wire, "_KEEP_S", 300.0),
    ):  # fmt: skip
        monkeypatch.setattr(owner, name, seconds)


@pytest.fixture
def in_earnest() -> None:
    """Let the gateway wait for services as long as it does outside tests."""


@pytest.fixture
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the clock of the rates stand still: no test runs across a full minute."""
    monkeypatch.setattr(limiter, "time", SimpleNamespace(time=lambda: 1_000_000.0))


@pytest.fixture
async def fake() -> AsyncIterator[Fake]:
    async with serve_fake() as server:
        yield server


@pytest.fixture
async def gateway(fake: Fake, tmp_path: Path) -> AsyncIterator[Running]:
    async with serve_gateway(fake, tmp_path) as running:
        yield running
