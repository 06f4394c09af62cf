"""Runs a service's ASGI app under uvicorn the way its settings say."""

from __future__ import annotations

import asyncio
import contextlib
from types import FrameType

import uvicorn
from fastapi import FastAPI

from servicekit import garbage
from servicekit.health import Readiness
from servicekit.logs import setup_logging
from servicekit.settings import ServiceSettings

CLOSING_S = 5.0
"""Seconds of `drain_s` that are left for sending the ends of answers that ran until then."""


class DrainingServer(uvicorn.Server):
    """Tells the service that it is to stop before it waits for running requests."""

    def __init__(self, config: uvicorn.Config, readiness: Readiness | None, drain_s: float):
        super().__init__(config)
        self._readiness, self._drain_s = readiness, drain_s
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self._readiness is not None and self._loop is not None and not self._readiness.draining:
            left = max(0.5, self._drain_s - CLOSING_S)
            # a signal interrupts anything: the work waits until the event loop gets to it
            self._loop.call_soon_threadsafe(self._readiness.drain, left)
        super().handle_exit(sig, frame)


def serve(app: FastAPI, settings: ServiceSettings) -> None:
    """Serve until SIGTERM; running requests then get `drain_s` seconds to end."""
    if problem := settings.open_door():
        raise SystemExit(f"{settings.service}: {problem}")
    setup_logging(settings.service, "DEBUG" if settings.debug else settings.log_level)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        uds=settings.uds or None,
        log_config=None,
        access_log=False,
        timeout_keep_alive=settings.keep_alive,
        timeout_graceful_shutdown=int(settings.drain_s),
        h11_max_incomplete_event_size=64 * 1024,
        server_header=False,
    )
    readiness = getattr(app.state, "readiness", None)
    server = DrainingServer(config, readiness, settings.drain_s)
    garbage.settle()
    with contextlib.suppress(KeyboardInterrupt):
        server.run()
    if not server.started:
        raise SystemExit(3)  # as uvicorn.run does: the port is taken, or the start failed
