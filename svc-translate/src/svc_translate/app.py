"""Puts svc-translate together: the only place that picks concrete classes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI

from servicekit.asgi import install
from servicekit.auth import Authenticator
from servicekit.health import Readiness
from servicekit.models import Catalogue, router
from svc_translate.api import libre, translations
from svc_translate.build import build_engines, installed, watch
from svc_translate.domain.translation import Limits, TranslationService
from svc_translate.engine.base import Engine
from svc_translate.engine.lingua_detector import LinguaDetector
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
    service = TranslationService(engines, LinguaDetector(), limits)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        loading = watch(service, readiness)
        yield
        await loading
        for each in engines:
            each.close()

    app = FastAPI(title="svc-translate", version=readiness.version, lifespan=lifespan, redoc_url=None)
    install(app, settings, readiness=readiness, authenticator=authenticator)
    catalogue = Catalogue.from_yaml(Path(__file__).parent / "catalogue.yaml")
    app.include_router(translations.router(service))
    app.include_router(libre.router(service))
    app.include_router(router(installed(service, catalogue, settings)))
    return app
