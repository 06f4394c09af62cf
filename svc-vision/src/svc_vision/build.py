"""Builds the engine that the settings name, and says when it is ready. Part of `app`."""

from __future__ import annotations

import asyncio
import functools
from pathlib import Path
from typing import Any

from servicekit.errors import ServiceError
from servicekit.health import Readiness
from servicekit.models import Catalogue, InstalledModel, ServiceModels
from svc_vision.engine.base import Engine, VisionModel
from svc_vision.engine.fake import FakeEngine
from svc_vision.engine.folders import ModelFolder
from svc_vision.engine.networks import Captioner, Classifier, Detector
from svc_vision.engine.transformers_engine import Network, TransformersEngine
from svc_vision.settings import Settings


def build_engine(settings: Settings) -> Engine:
    """Return the engine that `settings` ask for; loads nothing yet."""
    if settings.engine == "fake":
        return FakeEngine()
    own = (
        ("caption", settings.captioner_path),
        ("detection", settings.detector_path),
        ("classification", settings.classifier_path),
    )
    folders = [ModelFolder(Path(path).name, task, Path(path)) for task, path in own if path]  # type: ignore[arg-type]
    folders += [
        ModelFolder("oficina-captioner", "caption", settings.models_dir / "captioner", True, "MIT"),
        ModelFolder("oficina-detector", "detection", settings.models_dir / "detector", True, "MIT"),
    ]
    device = chosen_device(settings.device)
    return TransformersEngine(
        folders,
        functools.partial(_load, settings, device),
        device=device,
        idle_unload_s=settings.idle_unload_s,
        queue_limit=settings.queue_limit,
        window_s=settings.window_ms / 1000,
    )


def installed(engine: Engine, catalogue: Catalogue, settings: Settings) -> ServiceModels:
    """Return what `/v1/models` tells."""
    entries = [entry_of(model) for model in engine.models]
    slots: dict[str, Any] = getattr(engine, "slots", {})
    return ServiceModels(
        settings.service, entries, slots=slots, catalogue=catalogue, folder=settings.data_dir
    )


def entry_of(model: VisionModel) -> InstalledModel:
    """Return a model's entry in `/v1/models`."""
    return InstalledModel(
        id=model.id,
        task=model.task,
        builtin=model.builtin,
        license=model.license,
        size_bytes=model.size_bytes,
        languages=(model.language,),
    )


def watch(engine: Engine, readiness: Readiness) -> asyncio.Task[None]:
    """Load the models in the background (the task returned) and keep `readiness` true about it."""
    readiness.watch_queue(engine.queue)
    if engine.models:
        first = engine.models[0].id
        readiness.set(status="loading", reason="loading models", model=first, device=engine.device)
    else:
        readiness.set(status="not_ready", reason="no vision model is installed")
    return asyncio.create_task(_load_all(engine, readiness))


async def _load_all(engine: Engine, readiness: Readiness) -> None:
    failed = ""
    slots: dict[str, Any] = getattr(engine, "slots", {})
    for slot in slots.values():
        try:
            await asyncio.to_thread(slot.load)
        except ServiceError as error:
            failed = error.message
    if engine.models:
        readiness.set(status="not_ready" if failed else "ready", reason=failed or None)


def chosen_device(device: str) -> str:
    """Return cuda or cpu; auto takes cuda where there is one."""
    if device != "auto":
        return device
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _load(settings: Settings, device: str, folder: ModelFolder) -> Network:
    import torch

    torch.set_num_threads(settings.threads)
    if folder.task == "caption":
        return Captioner(
            folder.path,
            device=device,
            beams=settings.beams,
            max_tokens=settings.max_caption_tokens,
            no_repeat_ngram=0 if folder.builtin else settings.no_repeat_ngram,
        )
    if folder.task == "detection":
        return Detector(folder.path, device=device)
    return Classifier(folder.path, device=device)
