"""Brings vision models from the hub into the engine while it runs. Part of `app`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

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
        folder = ModelFolder(
            model.id, task_of(_config(model.path), model.id), model.path, license=model.license
        )
        models.add(entry_of(engine.add(folder)), engine.slots[folder.id])

    def leaving(model_id: str) -> None:
        engine.discard(model_id)
        models.discard(model_id)

    return hub.connect(
        settings,
        catalogue,
        hub.Format.TRANSFORMERS,
        estimate,
        task="caption",
        arrived=arrived,
        leaving=leaving,
        runs=task_of,
    )


def estimate(needs: hub.Needs) -> int:
    """Return the memory of a model that runs here; raises BadRequest for another, before it is fetched."""
    task_of(needs.json("config.json"), needs.listing.repo)
    return memory_need(needs)


def task_of(config: Mapping[str, Any], name: str) -> Task:
    """Read what a model does from its architecture.

    Raises:
        BadRequest: it is none that runs here.
    """
    told = config.get("architectures")
    names = [str(one) for one in told] if isinstance(told, list) else []
    for ending, task in _TASKS:
        if any(one.endswith(ending) for one in names):
            return task
    raise BadRequest(
        f"'{name[:100]}' is a {', '.join(names)[:80] or 'model without a named architecture'}, which does not run "
        "here. VisionEncoderDecoder (captions), ...ForObjectDetection and ...ForImageClassification do.",
        param="id",
    )


def _config(folder: Path) -> dict[str, Any]:
    try:
        found = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
