"""Puts svc-tts together: the only place that picks concrete classes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from flask import Flask

from servicekit import hub, media
from servicekit.auth import Authenticator
from servicekit.health import Readiness
from servicekit.hub.blueprint import blueprint as hub_blueprint
from servicekit.jobs.blueprint import blueprint as jobs_blueprint
from servicekit.models import Catalogue, Memory, ServiceModels
from servicekit.retention import Sweeper
from servicekit.wsgi import at_start, install
from svc_tts.api import models, openapi, speech, text_to_audio
from svc_tts.build import build_engines, named_places, slots_of
from svc_tts.domain.service import SpeechService
from svc_tts.engine.base import SpeechEngine
from svc_tts.engine.espeak_library import EspeakLibrary
from svc_tts.engine.language import LanguageDetector
from svc_tts.installing import build_installs
from svc_tts.settings import Settings


def create_app(
    settings: Settings | None = None,
    engines: Sequence[SpeechEngine] | None = None,
    authenticator: Authenticator | None = None,
) -> Flask:
    """Return the app; tests pass fake `engines` and an authenticator with keys of their own."""
    settings = settings or Settings()
    settings.prepared()
    library = EspeakLibrary()
    chosen = list(engines) if engines is not None else build_engines(settings, library)
    known = ServiceModels(
        settings.service,
        [engine.model for engine in chosen],
        aliases=settings.model_aliases,
        slots=slots_of(chosen),
        catalogue=Catalogue.from_yaml(Path(__file__).parent / "catalogue.yaml"),
    )
    detector = LanguageDetector(settings.default_language)
    service = SpeechService(
        chosen, known, detector, max_chars=settings.max_chars, max_waiting=settings.max_waiting
    )
    store = media.MediaStore(settings.data_dir / "audio", "aud")
    sweeper = Sweeper(lambda: store.sweep(settings.media_retention_days))
    readiness = Readiness(settings.service)
    readiness.set(status="ready", model=known.default)
    readiness.watch_queue(service.queue)
    known.share(Memory.of(settings, readiness))
    installs = build_installs(settings, service, library)
    readiness.watch_models(hub.editions(known, installs, named_places(settings)))
    queue = hub.queue_for(settings, installs)
    app = Flask("svc_tts")
    install(app, settings, readiness=readiness, authenticator=authenticator, sweeper=sweeper)
    for routes in (
        speech.blueprint(service),
        text_to_audio.blueprint(service, store),
        hub_blueprint(installs, queue),
        models.blueprint(known),
        jobs_blueprint(queue),
    ):
        app.register_blueprint(routes)
    app.register_blueprint(media.blueprint(store))
    app.register_blueprint(openapi.blueprint(readiness.version))
    at_start(app, sweeper.start, sweeper.stop)
    at_start(app, installs.offer)
    at_start(app, queue.start, queue.stop)
    return app
