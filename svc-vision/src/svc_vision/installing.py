"""Brings vision models from the hub into the engine while it runs. Part of `app`."""

from __future__ import annotations

import json

from servicekit import hub
from servicekit.errors import BadRequest
from servicekit.models import Catalogue, ServiceModels
from svc_vision.build import entry_of
from svc_vision.engine.base import Engine, Task
from svc_vision.engine.folders import ModelFolder
from svc_vision.engine.memory_need import memory_need
from svc_vision.engine.transformers_engine import TransformersEngine
from svc_vision.settings import Settings

_TASKS: tuple[tuple[str, Task], ...] = (
    ("VisionEncoderDecoderModel", "caption"),
    ("ForObjectDetection", "detection"),
    ("ForImageClassification", "classification"),
)
"""How the name of an architecture ends, and what it does."""


def build_installs(
    settings: Settings, engine: Engine, models: ServiceModels, catalogue: Catalogue
) -> hub.Installs | None:
    """Return what installs models; None where the engine here runs none."""
    if not isinstance(engine, TransformersEngine):
        return None

    def arrived(model: hub.ShelfModel) -> None:
        folder = ModelFolder(model.id, task_of(model), model.path, license=model.license)
        models.add(entry_of(engine.add(folder)), engine.slots[folder.id])

    def leaving(model_id: str) -> None:
        engine.discard(model_id)
        models.discard(model_id)

    return hub.connect(
        settings,
        catalogue,
        hub.Format.TRANSFORMERS,
        memory_need,
        task="caption",
        arrived=arrived,
        leaving=leaving,
    )


def task_of(model: hub.ShelfModel) -> Task:
    """Read what a model does from its architecture.

    Raises:
        BadRequest: it is none that runs here.
    """
    try:
        config = json.loads((model.path / "config.json").read_text(encoding="utf-8"))
        names = [str(name) for name in config.get("architectures") or ()]
    except (OSError, ValueError, AttributeError):
        names = []
    for ending, task in _TASKS:
        if any(name.endswith(ending) for name in names):
            return task
    raise BadRequest(
        f"'{model.id}' is a {', '.join(names)[:80] or 'model without a named architecture'}, which does not run here. "
        "VisionEncoderDecoder (captions), ...ForObjectDetection and ...ForImageClassification do.",
        param="id",
    )
