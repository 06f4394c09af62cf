"""Brings neural voices from the hub into the service while it runs. Part of `app`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from servicekit import hub
from servicekit.errors import BadRequest
from svc_tts.domain.service import SpeechService
from svc_tts.engine.bark import BarkEngine
from svc_tts.engine.memory_need import memory_need
from svc_tts.engine.vits import VitsEngine
from svc_tts.errors import EngineBroken
from svc_tts.settings import Settings


def build_installs(settings: Settings, service: SpeechService) -> hub.Installs:
    """Return what installs voices; they speak as soon as they are verified."""

    def arrived(model: hub.ShelfModel) -> None:
        engine = engine_of(model, settings)
        service.add(engine, engine.slot)

    return hub.connect(
        settings, service.models.catalogue, hub.Format.TRANSFORMERS, estimate, task="speech", arrived=arrived,
        leaving=service.discard, runs=kind_of,
    )  # fmt: skip


def estimate(needs: hub.Needs) -> int:
    """Return the memory of a voice that speaks here; raises BadRequest for another, before it is fetched."""
    kind_of(needs.json("config.json"), needs.listing.repo)
    return memory_need(needs)


def kind_of(config: Mapping[str, Any], name: str) -> str:
    """Return `vits` or `bark`; raises BadRequest for anything else."""
    kind = str(config.get("model_type"))
    if kind not in ("vits", "bark"):
        raise BadRequest(
            f"'{name[:100]}' is a {kind[:40]} model, which does not speak here. VITS (MMS-TTS) and Bark do.",
            param="id",
        )
    return kind


def engine_of(model: hub.ShelfModel, settings: Settings) -> VitsEngine | BarkEngine:
    """Return what speaks with a folder.

    Raises:
        BadRequest: it is neither VITS nor Bark. EngineBroken: torch is not installed beside this service.
    """
    file = model.path / "config.json"
    kind = kind_of(json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}, model.id)
    if find_spec("torch") is None or find_spec("transformers") is None:
        raise EngineBroken("Neural voices need torch and transformers: install svc-tts[neural].")
    idle = settings.idle_unload_s or None
    if kind == "bark":
        return BarkEngine(model.path, model_id=model.id, threads=settings.threads, idle_unload_s=idle)
    return VitsEngine(
        model.path, model_id=model.id, license=model.license, threads=settings.threads, idle_unload_s=idle
    )
