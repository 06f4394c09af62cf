"""Builds the engines that the settings name; the first one is the default. Part of `app`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from servicekit.models import ModelSlot
from svc_tts.engine.bark import BarkEngine
from svc_tts.engine.base import SpeechEngine
from svc_tts.engine.espeak import EspeakEngine
from svc_tts.engine.espeak_library import EspeakLibrary, library_places
from svc_tts.engine.vits import VitsEngine
from svc_tts.settings import Settings


def build_engines(settings: Settings, library: EspeakLibrary) -> list[SpeechEngine]:
    """Return the built-in voice and the models that `settings` name; loads nothing yet."""
    idle = settings.idle_unload_s or None
    engines: list[SpeechEngine] = [EspeakEngine(library)]
    if settings.vits_path:
        engines.append(VitsEngine(Path(settings.vits_path), idle_unload_s=idle))
    if settings.bark_path:
        engines.append(BarkEngine(Path(settings.bark_path), threads=settings.threads, idle_unload_s=idle))
    return engines


def named_places(settings: Settings) -> list[Path]:
    """Return the files and folders of the voices that were not installed from a hub."""
    return [*library_places(), *(Path(path) for path in (settings.vits_path, settings.bark_path) if path)]


def slots_of(engines: Sequence[SpeechEngine]) -> Mapping[str, ModelSlot[Any]]:
    """Return the slots of those engines that load a model."""
    return {
        engine.model.id: slot for engine in engines if (slot := getattr(engine, "slot", None)) is not None
    }
