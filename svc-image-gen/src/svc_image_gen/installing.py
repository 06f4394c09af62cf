"""Brings pipelines from the hub into the studio while it runs. Part of `app`."""

from __future__ import annotations

from dataclasses import replace

from servicekit import hub
from svc_image_gen.build import load_options
from svc_image_gen.domain.studio import Studio
from svc_image_gen.engine.diffusers_engine import DiffusersEngine, installed_from
from svc_image_gen.engine.memory_need import memory_need
from svc_image_gen.settings import Settings


def build_installs(settings: Settings, studio: Studio) -> hub.Installs:
    """Return what installs diffusers folders; they draw as soon as they are verified."""
    options = load_options(settings)

    def arrived(model: hub.ShelfModel) -> None:
        described = installed_from(model.path, builtin=False, model_id=model.id)
        told = replace(described, license=model.license, languages=model.languages or described.languages)
        studio.add(DiffusersEngine(told, model.path, options))

    return hub.connect(
        settings,
        studio.models.catalogue,
        hub.Format.DIFFUSERS,
        memory_need(options.precision, options.device),
        task="image",
        arrived=arrived,
        leaving=studio.discard,
    )
