"""Puts svc-image-gen together: the only place that picks concrete classes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from servicekit import hub, jobs, media, models
from servicekit.asgi import install
from servicekit.auth import Authenticator
from servicekit.health import Readiness
from servicekit.retention import Sweeper
from svc_image_gen.api import generations, redrawing, simple
from svc_image_gen.api.orders import Orders
from svc_image_gen.build import build_engines, named_places, service_models, watch
from svc_image_gen.domain.studio import KIND, Studio
from svc_image_gen.engine.base import Engine
from svc_image_gen.engine.decoders import Decoders
from svc_image_gen.installing import build_installs
from svc_image_gen.settings import Settings


def create_app(
    settings: Settings | None = None,
    engine: Engine | None = None,
    authenticator: Authenticator | None = None,
    links: media.Links | None = None,
) -> FastAPI:
    """Return the app; tests pass a fake `engine`, `links`, and an authenticator with keys of their own."""
    settings = settings or Settings()
    settings.prepared()
    readiness = Readiness(settings.service)
    decoders = Decoders()
    engines = build_engines(settings, decoders) if engine is None else {engine.model.id: engine}
    names = service_models(settings, engines)
    names.share(models.Memory.of(settings, readiness))
    store = media.MediaStore(settings.data_dir / "media", "img")
    links = links or media.Links(settings.gateway_url)
    studio = Studio(engines, names, store, preview_every_s=settings.preview_every_s, decoders=decoders)
    installs = build_installs(settings, studio)
    readiness.watch_models(hub.editions(names, installs, named_places(settings)))
    handlers = {KIND: studio.draw, hub.KIND: installs.run}
    queue = jobs.JobQueue(settings.service, settings.sql_url, handlers, max_waiting=settings.max_waiting)
    days = settings.media_retention_days
    sweeper = Sweeper(lambda: store.sweep(days), lambda: queue.sweep(days))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await asyncio.to_thread(installs.offer)
        await asyncio.to_thread(queue.start)
        readiness.watch_queue(queue.load)
        sweeper.start()
        loading = asyncio.create_task(watch(names, studio.engines, readiness))
        yield
        loading.cancel()  # what is being loaded is not waited for
        await asyncio.to_thread(sweeper.stop)
        await asyncio.to_thread(queue.stop)
        for one in studio.engines.values():
            one.close()
        await links.close()

    app = FastAPI(
        title="svc-image-gen", version=readiness.version, lifespan=lifespan, docs_url=None, redoc_url=None
    )
    install(app, settings, readiness=readiness, authenticator=authenticator, sweeper=sweeper)
    orders = Orders(queue, settings.sync_timeout_s)
    answers = generations.Answers(orders, store, links)
    app.include_router(generations.router(studio, orders, answers))
    app.include_router(redrawing.router(studio, orders, answers))
    app.include_router(simple.router(studio, orders))
    app.include_router(jobs.router(queue))
    app.include_router(media.router(store))
    app.include_router(models.router(names, hub.router(installs, queue)))
    return app
