"""Runs a service's ASGI app under uvicorn the way its settings say."""

from __future__ import annotations

import uvicorn
from starlette.types import ASGIApp

from servicekit.logs import setup_logging
from servicekit.settings import ServiceSettings


def serve(app: ASGIApp, settings: ServiceSettings) -> None:
    """Serve until SIGTERM; running requests then get `drain_s` seconds to end."""
    setup_logging(settings.service, "DEBUG" if settings.debug else settings.log_level)
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        timeout_keep_alive=settings.keep_alive,
        timeout_graceful_shutdown=int(settings.drain_s),
        h11_max_incomplete_event_size=64 * 1024,
        server_header=False,
    )
