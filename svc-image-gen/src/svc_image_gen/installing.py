"""Brings pipelines from the hub into the studio while it runs. Part of `app`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from servicekit import hub
from servicekit.errors import BadRequest
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
        runs=check_pipeline,
    )


def check_pipeline(index: Mapping[str, Any], name: str) -> None:
    """Raise BadRequest if a `model_index.json` is of something that does not draw by itself."""
    kind = str(index.get("_class_name"))
    if not kind.endswith("Pipeline"):
        raise BadRequest(
            f"'{name[:100]}' is a {kind[:40]}, which is a part of a pipeline and does not draw by itself. Choose a "
            "pipeline of diffusers.",
            param="id",
        )
