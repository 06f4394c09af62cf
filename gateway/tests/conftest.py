"""A real gateway on loopback with one fake server that plays all services."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import uvicorn
from aiohttp import web

from gateway.api.edge import Edge
from gateway.app import create_edge
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
        {"data_dir": folder, "owner_password": PASSWORD, "owner_api_key": KEY, "redis_url": ""} | urls | more
    )
    parts = assemble(Settings(**given))
    edge = create_edge(parts)
    config = uvicorn.Config(edge, port=0, log_config=None, proxy_headers=proxied, timeout_graceful_shutdown=1)
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


async def until(condition: Callable[[], Any], within_s: float = 5.0) -> None:
    """Wait until `condition` holds, or fail."""
    end = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        await asyncio.sleep(0.01)


@pytest.fixture
async def fake() -> AsyncIterator[Fake]:
    async with serve_fake() as server:
        yield server


@pytest.fixture
async def gateway(fake: Fake, tmp_path: Path) -> AsyncIterator[Running]:
    async with serve_gateway(fake, tmp_path) as running:
        yield running
