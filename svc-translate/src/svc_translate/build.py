"""Builds the engines that the settings name, and says when they are ready. Part of `app`."""

from __future__ import annotations

import asyncio
import functools
from pathlib import Path

from servicekit.health import Readiness
from servicekit.models import Catalogue, InstalledModel, ServiceModels, warm
from svc_translate.domain.translation import TranslationService
from svc_translate.engine.apertium import ApertiumEngine
from svc_translate.engine.base import Engine, Pair, TranslationModel
from svc_translate.engine.ct2 import CT2Translator
from svc_translate.engine.fake import FakeEngine
from svc_translate.engine.folders import Folder, MarianFolder, is_converted, read_words
from svc_translate.engine.marian import TransformersTranslator
from svc_translate.engine.neural_engine import NeuralEngine, Translator
from svc_translate.recognizing import Repository, folder_of
from svc_translate.settings import Settings

BUILTIN_PAIRS = (Pair("en", "pt"), Pair("pt", "en"))


def build_engines(settings: Settings) -> list[Engine]:
    """Return the engines that `settings` ask for, in the order of preference; loads nothing yet."""
    if settings.engine == "fake":
        return [FakeEngine()]
    folders: list[Folder] = [_builtin(settings.models_dir / str(pair), pair) for pair in BUILTIN_PAIRS]
    folders += [_extra(text) for text in settings.extra_models]
    engines: list[Engine] = [
        NeuralEngine(
            folders,
            functools.partial(_load, settings),
            idle_unload_s=settings.idle_unload_s,
            queue_limit=settings.queue_limit,
            window_s=settings.window_ms / 1000,
        )
    ]
    if settings.apertium == "auto":
        engines.append(ApertiumEngine(timeout_s=settings.apertium_timeout_s))
    return engines


def named_places(settings: Settings) -> list[Path]:
    """Return the folders of the models that were not installed from a hub."""
    return [settings.models_dir, *(_extra(text).path for text in settings.extra_models)]


def installed(service: TranslationService, catalogue: Catalogue, settings: Settings) -> ServiceModels:
    """Return what `/v1/models` tells."""
    slots = {name: slot for e in service.engines for name, slot in getattr(e, "slots", {}).items()}
    entries = [entry_of(model) for model in service.models]
    return ServiceModels(
        settings.service, entries, slots=slots, catalogue=catalogue, folder=settings.data_dir
    )


def entry_of(model: TranslationModel) -> InstalledModel:
    """Return a model's entry in `/v1/models`."""
    return InstalledModel(
        id=model.id,
        task="translation",
        owned_by=model.owned_by,
        builtin=model.builtin,
        license=model.license,
        size_bytes=model.size_bytes,
        languages=model.languages,
    )


def watch(service: TranslationService, readiness: Readiness) -> asyncio.Task[None]:
    """Load the built-in models in the background and keep `readiness` true about it."""
    readiness.watch_queue(functools.partial(_queue, service))
    known = {name: slot for e in service.engines for name, slot in getattr(e, "slots", {}).items()}
    # installed models may be large: they are loaded when they are asked for
    slots = [known[model.id] for model in service.models if model.builtin and model.id in known]
    readiness.add_check("model", functools.partial(_lacking, service, readiness))
    readiness.set(status="loading", reason="loading models")
    _lacking(service, readiness)
    return asyncio.create_task(warm([slot.load for slot in slots], readiness))


def _lacking(service: TranslationService, readiness: Readiness) -> str | None:
    """Return why nothing can be translated: no model is there. Tells the first one otherwise."""
    models = service.models
    if not models:
        return "no translation model is installed; install one (POST /v1/models/install)"
    readiness.set(model=models[0].id)
    return None


def _queue(service: TranslationService) -> dict[str, int]:
    counts = [engine.queue() for engine in service.engines]
    return {key: sum(count[key] for count in counts) for key in ("running", "waiting")}


def copies_of(settings: Settings) -> Path:
    """Return the folder of converted copies."""
    return settings.data_dir / "ct2"


def _load(settings: Settings, folder: Folder) -> Translator:
    if (
        settings.engine == "transformers"
        and isinstance(folder, MarianFolder)
        and not is_converted(folder.path)
    ):
        return TransformersTranslator(folder, threads=settings.threads, beam=settings.beam)
    return CT2Translator(folder, copies_of(settings), threads=settings.threads, beam=settings.beam)


def _builtin(path: Path, pair: Pair) -> MarianFolder:
    words = read_words(path / "words.txt")
    return MarianFolder(f"oficina-translate-{pair}", pair, path, builtin=True, license="MIT", words=words)


def _extra(text: str) -> Folder:
    """Read `id=source-target=/folder`, `id=source-target=/folder=label` or `id=any=/folder`."""
    parts = text.split("=", 3)
    if len(parts) == 3 and parts[1] == "any":
        return folder_of(Repository(parts[0], Path(parts[2]), parts[0]))
    if len(parts) < 3 or parts[1].count("-") != 1:
        raise ValueError(
            f"TRANSLATE_EXTRA_MODELS holds {text!r}; write id=source-target=/folder, "
            "id=source-target=/folder=>>label<< or, for a model of many languages, id=any=/folder"
        )
    return MarianFolder(
        parts[0], Pair(*parts[1].split("-")), Path(parts[2]), label=parts[3] if len(parts) > 3 else None
    )
