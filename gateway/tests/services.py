"""A real service as `servicekit.asgi.install` makes it, on loopback, for tests of what goes through both."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI

from servicekit.asgi import Edge, install
from servicekit.contract import TestKeys
from servicekit.health import Readiness
from servicekit.settings import ServiceSettings

from .conftest import until


class RealService:
    """svc-chat's name and two of its routes; lets everybody in."""

    def __init__(self, folder: Path, **told: Any):
        settings = ServiceSettings(service="svc-chat", data_dir=folder, auth="off", **told)
        self.app, self.url = FastAPI(), ""
        install(
            self.app,
            settings,
            readiness=Readiness("svc-chat"),
            authenticator=TestKeys().authenticator(settings),
        )

        @self.app.get("/v1/personas")
        async def personas() -> dict[str, str]:
            return {}

        @self.app.get("/v1/models")
        async def models() -> dict[str, list[str]]:
            return {"data": []}

        config = uvicorn.Config(self.app, port=0, log_config=None, timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)

    @property
    def edge(self) -> Edge:
        """The layer that `install` put around the app, once it has served."""
        layer: Any = self.app.middleware_stack
        while not isinstance(layer, Edge):
            layer = layer.app
        return layer

    async def __aenter__(self) -> RealService:
        self._task = asyncio.create_task(self._server._serve())
        await until(lambda: self._server.started or self._task.done())
        self.url = f"http://127.0.0.1:{self._server.servers[0].sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.should_exit = True
        await self._task
