"""Puts svc-vision together: the only place that picks concrete classes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI

from servicekit import hub, media
from servicekit.asgi import install
from servicekit.auth import Authenticator
from servicekit.health import Readiness
from servicekit.models import Catalogue, Memory
from servicekit.retention import Sweeper
from svc_vision.api import analysis, looking
from svc_vision.api.picture import PictureReader
from svc_vision.build import build_engine, installed, named_places, watch
from svc_vision.domain.vision import VisionService
from svc_vision.engine.base import Engine
from svc_vision.installing import build_installs
from svc_vision.settings import Settings


def create_app(
    settings: Settings | None = None,
    engine: Engine | None = None,
    authenticator: Authenticator | None = None,
    own: media.OwnMedia | None = None,
) -> FastAPI:
    """Return the app; tests pass a fake `engine`, `own` media, and an authenticator with keys of their own."""
    settings = settings or Settings()
    settings.prepared()
    readiness = Readiness(settings.service)
    built = build_engine(settings) if engine is None else engine
    catalogue = Catalogue.from_yaml(Path(__file__).parent / "catalogue.yaml")
    own = own or media.OwnMedia(settings.gateway_url, settings.allowed_hosts)
    service, reader = VisionService(built, catalogue.first_for), PictureReader(settings, own)
    store = media.MediaStore(settings.data_dir / "media", "upl")
    sweeper = Sweeper(lambda: store.sweep(settings.media_retention_days))

    models = installed(built, catalogue, settings)
    models.share(Memory.of(settings, readiness))
    installs = build_installs(settings, built, models, catalogue)
    readiness.watch_models(hub.editions(models, installs, named_places(settings)))
    queue = None if installs is None else hub.queue_for(settings, installs)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        sweeper.start()
        await hub.start(installs, queue)
        loading = watch(built, readiness)
        yield
        loading.cancel()  # what is being loaded is not waited for
        await hub.stop(queue)
        sweeper.stop()
        built.close()
        await own.close()

    app = FastAPI(
        title="svc-vision", version=readiness.version, lifespan=lifespan, docs_url=None, redoc_url=None
    )
    install(app, settings, readiness=readiness, authenticator=authenticator, sweeper=sweeper)
    app.include_router(looking.router(service, reader, store, settings.default_threshold))
    app.include_router(analysis.router(reader, store))
    app.include_router(media.router(store))
    if installs is not None:
        app.include_router(hub.browser.router("/v1/vision", installs.shelf, catalogue))
    for routes in hub.routers(models, installs, queue):
        app.include_router(routes)
    return app
