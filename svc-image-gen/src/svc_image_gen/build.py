"""Builds the engines that the settings name, and says when they are ready. Part of `app`."""

from __future__ import annotations

import functools
import logging
from collections.abc import Mapping
from pathlib import Path

from servicekit.errors import ServiceError
from servicekit.health import Readiness
from servicekit.logs import log_event
from servicekit.models import Catalogue, ServiceModels, warm
from svc_image_gen.engine.base import Engine
from svc_image_gen.engine.decoders import Decoders
from svc_image_gen.engine.diffusers_engine import DiffusersEngine, LoadOptions, installed_from
from svc_image_gen.settings import BUILTIN_ID, Settings

log = logging.getLogger(__name__)


def build_engines(settings: Settings, decoders: Decoders | None = None) -> dict[str, Engine]:
    """Return the engines that `settings` ask for, the default one first; loads nothing yet."""
    options = load_options(settings)
    wanted: list[tuple[str | None, Path | None]] = []
    if settings.stable_diffusion_model:
        wanted.append((settings.stable_diffusion_model, _find(settings.stable_diffusion_model)))
    wanted += [(None, settings.model_path), *((None, Path(path)) for path in settings.extra_model_paths)]
    engines: dict[str, Engine] = {}
    for name, folder in wanted:
        try:
            if folder is None:
                raise ServiceError("It is neither a diffusers folder nor in the local cache of the hub.")
            builtin = folder.resolve() == settings.builtin_model_path
            model_id = BUILTIN_ID if builtin else None if name is None or Path(name).is_dir() else name
            model = installed_from(folder, builtin=builtin, model_id=model_id)
        except ServiceError as error:
            log_event(log, "model not installed", level=logging.WARNING, model=name, reason=error.message)
            continue
        engines.setdefault(model.id, DiffusersEngine(model, folder, options, decoders))
    return engines


def named_places(settings: Settings) -> list[Path]:
    """Return the folders of the models that were not installed from a hub."""
    named = _find(settings.stable_diffusion_model) if settings.stable_diffusion_model else None
    return [
        *([named] if named is not None else []),
        settings.model_path,
        *(Path(path) for path in settings.extra_model_paths),
    ]


def load_options(settings: Settings) -> LoadOptions:
    """Return how models are loaded."""
    return LoadOptions(
        device=settings.device,
        precision=settings.precision,
        threads=settings.threads,
        niceness=settings.niceness,
        vae_slicing=settings.enable_vae_slicing,
        memory_efficient_attention=settings.enable_memory_efficient_attention,
        idle_unload_s=settings.idle_unload_s or None,
        decoder=settings.decoder,
    )


def service_models(settings: Settings, engines: Mapping[str, Engine]) -> ServiceModels:
    """Return names, aliases and slots of `engines`; a configured model that is missing becomes an alias."""
    aliases = dict(settings.model_aliases)
    if settings.stable_diffusion_model:
        aliases.setdefault(settings.stable_diffusion_model, "image")
    return ServiceModels(
        settings.service,
        [engine.model for engine in engines.values()],
        aliases=aliases,
        slots={name: engine.slot for name, engine in engines.items()},
        catalogue=Catalogue.from_yaml(Path(__file__).parent / "catalogue.yaml"),
        folder=settings.data_dir,
    )


async def watch(models: ServiceModels, engines: Mapping[str, Engine], readiness: Readiness) -> None:
    """Load the default model and keep `readiness` true about it, and about whether there is one."""
    readiness.add_check("model", functools.partial(_lacking, models, readiness))
    if models.default is None:
        readiness.set(status="ready")  # the check says what is lacking, until a model is installed
        return
    readiness.set(status="loading", reason=f"loading {models.default}", model=models.default)

    def load() -> None:
        engine = engines.get(models.default or "")  # which may have been removed, or be another one by now
        if engine is None:
            return
        try:
            engine.slot.load()
        finally:
            readiness.set(device=engine.device)

    await warm([load], readiness)


def _lacking(models: ServiceModels, readiness: Readiness) -> str | None:
    """Return why nothing can be drawn: no model is there. Tells which one draws by default otherwise."""
    if models.default is None:
        return "no image model is installed; install one (POST /v1/models/install)"
    readiness.set(model=models.default)
    return None


def _find(name: str) -> Path | None:
    """Find a model by folder, or by hub id in the local cache; never goes to the network."""
    if Path(name).is_dir():
        return Path(name)
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError, OSError, ValueError):
        return None
