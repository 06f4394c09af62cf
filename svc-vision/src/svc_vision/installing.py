"""Brings vision models from the hub into the engine while it runs. Part of `app`."""

from __future__ import annotations

from servicekit import hub
from servicekit.models import Catalogue, ServiceModels
from svc_vision.build import chosen_device, entry_of
from svc_vision.engine.architectures import architecture_of
from svc_vision.engine.base import Engine
from svc_vision.engine.folders import ModelFolder, config_of
from svc_vision.engine.memory_need import memory_need
from svc_vision.engine.transformers_engine import TransformersEngine
from svc_vision.settings import Settings


def build_installs(
    settings: Settings, engine: Engine, models: ServiceModels, catalogue: Catalogue
) -> hub.Installs | None:
    """Return what installs models; None where the engine here runs none."""
    if not isinstance(engine, TransformersEngine):
        return None

    def arrived(model: hub.ShelfModel) -> None:
        if hub.browser.is_for_browsers(model):
            return
        main, *also = architecture_of(config_of(model.path), model.id).tasks
        folder = ModelFolder(model.id, main, model.path, license=model.license, also=tuple(also))
        models.add(entry_of(engine.add(folder)), engine.slots[folder.id])

    def leaving(model_id: str) -> None:
        if model_id not in engine.slots:
            return  # the page's
        engine.discard(model_id)
        models.discard(model_id)

    return hub.connect(
        settings,
        catalogue,
        hub.Format.TRANSFORMERS,
        hub.browser.beside(memory_need(chosen_device(settings.device), settings.question_tiles)),
        task="caption",
        arrived=arrived,
        leaving=leaving,
        runs=architecture_of,
        layout=hub.browser.layout,
    )
