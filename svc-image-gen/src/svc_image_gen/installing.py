"""Brings pipelines and small decoders from the hub into the studio while it runs. Part of `app`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from servicekit import hub
from servicekit.models import InstalledModel
from svc_image_gen.build import load_options
from svc_image_gen.domain.studio import Studio
from svc_image_gen.engine.decoders import CLASS, TASK
from svc_image_gen.engine.diffusers_engine import DiffusersEngine, installed_from
from svc_image_gen.engine.memory_need import memory_need
from svc_image_gen.engine.pipeline_kind import check_class
from svc_image_gen.settings import Settings


def build_installs(settings: Settings, studio: Studio) -> hub.Installs:
    """Return what installs diffusers folders and small decoders; they are used as soon as they are verified."""
    options = load_options(settings)

    def arrived(model: hub.ShelfModel) -> None:
        if model.task == TASK:
            size = sum(file.size for file in model.files if file.is_weights)
            told = InstalledModel(model.id, TASK, license=model.license, size_bytes=size)
            studio.add_decoder(told, model.repo, model.path)
            return
        described = installed_from(model.path, builtin=False, model_id=model.id)
        told = replace(described, license=model.license, languages=model.languages or described.languages)
        studio.add(DiffusersEngine(told, model.path, options, studio.decoders))

    return hub.connect(
        settings,
        studio.models.catalogue,
        hub.Format.DIFFUSERS,
        memory_need(options.precision, options.device),
        task="image",
        arrived=arrived,
        leaving=studio.discard,
        runs=check_runs,
    )


def check_runs(config: Mapping[str, Any], name: str) -> None:
    """Raise UnsupportedPipeline if a configuration is neither of a pipeline that draws here nor of a small decoder."""
    if config.get("_class_name") != CLASS:
        check_class(config, name)
