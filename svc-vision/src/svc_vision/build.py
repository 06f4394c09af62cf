"""Builds the engine that the settings name, and says when it is ready. Part of `app`."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from servicekit.errors import BadRequest
from servicekit.health import Readiness
from servicekit.models import Catalogue, InstalledModel, ServiceModels, warm
from svc_vision.engine.architectures import Kind, architecture_of
from svc_vision.engine.base import Engine, Task, VisionModel
from svc_vision.engine.conversing import Conversing
from svc_vision.engine.fake import FakeEngine
from svc_vision.engine.florence import Florence
from svc_vision.engine.folders import ModelFolder, config_of
from svc_vision.engine.networks import BlipCaptioner, Captioner, Classifier, Detector
from svc_vision.engine.precision import bytes_per_number, choose_dtype
from svc_vision.engine.transformers_engine import Network, TransformersEngine
from svc_vision.settings import Settings


def build_engine(settings: Settings) -> Engine:
    """Return the engine that `settings` ask for; loads nothing yet."""
    if settings.engine == "fake":
        return FakeEngine()
    own: tuple[tuple[Task, str], ...] = (
        ("caption", settings.captioner_path),
        ("detection", settings.detector_path),
        ("classification", settings.classifier_path),
    )
    folders = [_own_folder(task, Path(path)) for task, path in own if path]
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


def _own_folder(task: Task, path: Path) -> ModelFolder:
    """Return a folder that the settings name; what its model does beside `task` is offered too."""
    try:
        tasks = architecture_of(config_of(path), path.name).tasks
    except BadRequest:
        tasks = ()
    return ModelFolder(path.name, task, path, also=tuple(other for other in tasks if other != task))


def named_places(settings: Settings) -> list[Path]:
    """Return the folders of the models that were not installed from a hub."""
    own = (settings.captioner_path, settings.detector_path, settings.classifier_path)
    return [settings.models_dir, *(Path(path) for path in own if path)]


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
        also=model.also,
    )


def watch(engine: Engine, readiness: Readiness) -> asyncio.Task[None]:
    """Load the models in the background (the task returned) and keep `readiness` true about it."""
    readiness.watch_queue(engine.queue)
    readiness.add_check("model", functools.partial(_lacking, engine, readiness))
    readiness.set(status="loading", reason="loading models", device=engine.device)
    _lacking(engine, readiness)
    return asyncio.create_task(_load_all(engine, readiness))


async def _load_all(engine: Engine, readiness: Readiness) -> None:
    slots: dict[str, Any] = getattr(engine, "slots", {})
    # by their names: models come and go meanwhile
    await warm([functools.partial(_load_slot, slots, name) for name in slots], readiness)


def _load_slot(slots: Mapping[str, Any], name: str) -> None:
    if name in slots:
        slots[name].load()


def _lacking(engine: Engine, readiness: Readiness) -> str | None:
    """Return why no picture can be looked at: no model is there. Tells the first one otherwise."""
    if not engine.models:
        return "no vision model is installed; install one (POST /v1/models/install)"
    readiness.set(model=engine.models[0].id)
    return None


def chosen_device(device: str) -> str:
    """Return cuda or cpu; auto takes cuda where there is one."""
    if device != "auto":
        return device
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _load(settings: Settings, device: str, folder: ModelFolder) -> Network:
    import torch

    torch.set_num_threads(settings.threads)
    kind, path = architecture_of(config_of(folder.path), folder.id).kind, folder.path
    if kind == "detector":
        return Detector(path, device=device)
    if kind == "classifier":
        return Classifier(path, device=device)
    if kind == "captioner":
        repeats = 0 if folder.builtin else settings.no_repeat_ngram
        return Captioner(
            path,
            device=device,
            beams=settings.beams,
            max_tokens=settings.max_caption_tokens,
            no_repeat_ngram=repeats,
        )
    return _generative(settings, device, kind, path)


def _generative(settings: Settings, device: str, kind: Kind, path: Path) -> Network:
    """Load one of the public models whose files may be 16-bit."""
    dtype, most = choose_dtype(device, bytes_per_number(path)), settings.max_caption_tokens
    if kind == "conversing":
        return Conversing(
            path,
            device=device,
            dtype=dtype,
            tiles=settings.question_tiles,
            answer_tokens=settings.max_answer_tokens,
            caption_tokens=most,
        )
    network = Florence if kind == "florence" else BlipCaptioner
    return network(path, device=device, dtype=dtype, beams=settings.beams, max_tokens=most)
