"""Puts svc-translate together: the only place that picks concrete classes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI

from servicekit import hub
from servicekit.asgi import install
from servicekit.auth import Authenticator
from servicekit.health import Readiness
from servicekit.models import Catalogue, Memory
from svc_translate.api import libre, translations
from svc_translate.build import build_engines, installed, named_places, watch
from svc_translate.domain.translation import Limits, TranslationService
from svc_translate.engine.base import Engine
from svc_translate.engine.lingua_detector import LinguaDetector
from svc_translate.engine.wide_detector import WideDetector
from svc_translate.installing import build_installs
from svc_translate.settings import Settings


def create_app(
    settings: Settings | None = None,
    engine: Engine | None = None,
    authenticator: Authenticator | None = None,
) -> FastAPI:
    """Return the app; tests pass a fake `engine` and an authenticator with keys of their own."""
    settings = settings or Settings()
    settings.prepared()
    readiness = Readiness(settings.service)
    engines = build_engines(settings) if engine is None else [engine]
    limits = Limits(settings.max_chars, settings.max_texts)
    service = TranslationService(engines, LinguaDetector(), limits, WideDetector())

    catalogue = Catalogue.from_yaml(Path(__file__).parent / "catalogue.yaml")
    models = installed(service, catalogue, settings)
    models.share(Memory.of(settings, readiness))
    installs = build_installs(settings, engines, models, catalogue)
    readiness.watch_models(hub.editions(models, installs, named_places(settings)))
    queue = None if installs is None else hub.queue_for(settings, installs)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await hub.start(installs, queue)
        loading = watch(service, readiness)
        yield
        loading.cancel()  # what is being loaded is not waited for
        await hub.stop(queue)
        for each in engines:
            each.close()

    app = FastAPI(
        title="svc-translate", version=readiness.version, lifespan=lifespan, docs_url=None, redoc_url=None
    )
    install(app, settings, readiness=readiness, authenticator=authenticator)
    app.include_router(translations.router(service))
    app.include_router(libre.router(service))
    for routes in hub.routers(models, installs, queue):
        app.include_router(routes)
    return app
