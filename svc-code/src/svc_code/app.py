"""Puts svc-code together: the only place that picks concrete classes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from servicekit.asgi import install
from servicekit.auth import Authenticator
from servicekit.health import Readiness
from servicekit.models import ServiceModels
from servicekit.models import router as model_routes
from servicekit.turns import Turns
from svc_code.api import files, sessions
from svc_code.build import build_host, places_of, prepare, tells
from svc_code.domain.sessions import Sessions
from svc_code.domain.spares import Spares
from svc_code.engine.base import Host
from svc_code.settings import Settings


def create_app(
    settings: Settings | None = None,
    host: Host | None = None,
    authenticator: Authenticator | None = None,
) -> FastAPI:
    """Return the app; tests pass a fake `host` and an authenticator with keys of their own."""
    settings = settings or Settings()
    settings.prepared()
    readiness = Readiness(settings.service)
    host = host or build_host(settings)
    spares = Spares(host, settings.spare, tells(readiness))
    turns = Turns(settings.max_running, settings.max_waiting, "executions")
    kept = Sessions(spares, turns, places_of(settings))
    readiness.watch_queue(lambda: {"running": turns.running, "waiting": turns.waiting})
    readiness.on_drain(kept.interrupt_all_after)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        preparing = asyncio.create_task(prepare(host, spares))
        kept.start()
        yield
        preparing.cancel()
        await asyncio.gather(preparing, return_exceptions=True)
        await kept.close()
        await spares.close()

    app = FastAPI(
        title="svc-code", version=readiness.version, lifespan=lifespan, docs_url=None, redoc_url=None
    )
    install(app, settings, readiness=readiness, authenticator=authenticator)
    app.include_router(sessions.router(kept, settings))
    app.include_router(files.router(kept))
    app.include_router(model_routes(ServiceModels(settings.service, ())))
    return app
