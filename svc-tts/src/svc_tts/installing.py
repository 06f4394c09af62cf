"""Brings neural voices from the hub into the service while it runs. Part of `app`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any, Literal

from servicekit import hub
from servicekit.errors import BadRequest
from servicekit.models.obstacle import DoesNotRun
from svc_tts.domain.service import SpeechService
from svc_tts.engine.bark import PRESET_FILE, BarkEngine
from svc_tts.engine.espeak_library import EspeakLibrary
from svc_tts.engine.kokoro import STYLE, VOICE_FILE, KokoroEngine
from svc_tts.engine.memory_need import memory_need
from svc_tts.engine.piper import READS, PiperEngine
from svc_tts.engine.vits import VitsEngine
from svc_tts.errors import EngineBroken
from svc_tts.settings import Settings

Kind = Literal["vits", "bark", "kokoro", "piper"]
_KINDS: Mapping[str, Kind] = {"vits": "vits", "bark": "bark", "style_text_to_speech_2": "kokoro"}
"""By `model_type` of a configuration; Piper's has none."""
_GRAPHS = ("onnx/model_quantized.onnx", "onnx/model.onnx", "onnx/model_fp16.onnx", "onnx/model_q8f16.onnx")
"""Kokoro's files in several precisions, in the order in which they are taken. Measured 2026-11-27 on two busy cores, both in
turn: 8 bits speak 1.6 times as fast as 32."""
_SPEAKS = "VITS (MMS-TTS), Bark, Kokoro and Piper voices do."


def build_installs(settings: Settings, service: SpeechService, library: EspeakLibrary) -> hub.Installs:
    """Return what installs voices; they speak as soon as they are verified."""

    def arrived(model: hub.ShelfModel) -> None:
        engine = engine_of(model, settings, library)
        service.add(engine, engine.slot)

    return hub.connect(
        settings, service.models.catalogue, hub.Format.TRANSFORMERS, estimate, task="speech", arrived=arrived,
        leaving=service.discard, runs=kind_of, layout=voice_files,
    )  # fmt: skip


def voice_files(files: Mapping[str, hub.RepoFile], named: Sequence[str]) -> list[hub.RepoFile] | None:
    """Choose the files of a voice whose folder is not that of an ordinary model of transformers."""
    return onnx_files(files, named) or bark_files(files)


def bark_files(files: Mapping[str, hub.RepoFile]) -> list[hub.RepoFile] | None:
    """Choose the files of Bark with its presets; the arrays are read without unpickling."""
    top = [name for name in files if "/" not in name and name.endswith((".json", ".txt", ".safetensors"))]
    presets = [name for name in files if PRESET_FILE.fullmatch(name)]
    if not presets or not any(name.endswith(".safetensors") for name in top):
        return None
    return [files[name] for name in (*top, *sorted(presets))]


def onnx_files(files: Mapping[str, hub.RepoFile], named: Sequence[str]) -> list[hub.RepoFile] | None:
    """Choose the files of a Piper voice or of Kokoro; ONNX holds weights and arithmetic, no code."""
    graphs = [name for name in named if name.endswith(".onnx")] or [
        name for name in files if name.endswith(".onnx") and (name in _GRAPHS or f"{name}.json" in files)
    ]
    graphs.sort(key=lambda name: _GRAPHS.index(name) if name in _GRAPHS else len(_GRAPHS))
    if not graphs or graphs[0] not in files:
        return None
    graph = graphs[0]
    if f"{graph}.json" in files:
        if len(graphs) > 1:
            raise BadRequest(
                f"The repository has {len(graphs)} voices. Name one as 'owner/name:{graph}'.", param="id"
            )
        return [files[graph], files[f"{graph}.json"]]
    voices = [name for name in files if VOICE_FILE.fullmatch(name)]
    if not voices or not {"config.json", "tokenizer.json"} <= set(files):
        return None
    return [files[name] for name in ("config.json", "tokenizer.json", graph, *sorted(voices))]


def estimate(needs: hub.Needs) -> int:
    """Return the memory of a voice that speaks here; raises BadRequest for another, before it is fetched."""
    names = {file.name for file in needs.files}
    settings = next((name for name in names if name.endswith(".onnx.json")), "config.json")
    kind = kind_of(needs.json(settings), needs.listing.repo)
    torn = [file.name for file in needs.files if VOICE_FILE.fullmatch(file.name) and file.size % (4 * STYLE)]
    if torn:
        raise BadRequest(f"'{torn[0]}' is no voice of Kokoro: its size is odd.", param="id")
    return memory_need(needs, kind)


def kind_of(config: Mapping[str, Any], name: str) -> Kind:
    """Return what speaks with a model of that configuration; raises DoesNotRun if nothing here does."""
    if "phoneme_id_map" in config or "phoneme_type" in config:
        reads = str(config.get("phoneme_type") or "espeak")
        if reads not in READS:
            raise DoesNotRun(
                f"'{name[:100]}' reads {reads[:40]} phonemes; voices that read {' or '.join(READS)} speak here.",
                of="phonemes",
                found=reads[:40],
                runs=tuple(READS),
            )
        return "piper"
    kind = str(config.get("model_type"))
    if kind not in _KINDS:
        raise DoesNotRun(
            f"'{name[:100]}' is a {kind[:40]} model, which does not speak here. {_SPEAKS}",
            of="kind",
            found=kind[:40],
            runs=(*_KINDS, "piper"),
        )
    return _KINDS[kind]


def engine_of(
    model: hub.ShelfModel, settings: Settings, library: EspeakLibrary
) -> VitsEngine | BarkEngine | KokoroEngine | PiperEngine:
    """Return what speaks with a folder.

    Raises:
        BadRequest: nothing here does. EngineBroken: what it needs is not installed beside this service.
    """
    graph = next((file.name for file in model.files if file.name.endswith(".onnx")), None)
    beside = model.path / (f"{graph}.json" if graph else "config.json")
    file = beside if beside.is_file() else model.path / "config.json"
    kind = kind_of(json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}, model.id)
    idle, threads = settings.idle_unload_s or None, settings.threads
    if graph is not None:
        if kind == "piper":
            return PiperEngine(
                model.path / graph, library, model_id=model.id, license=model.license, threads=threads,
                idle_unload_s=idle,
            )  # fmt: skip
        return KokoroEngine(
            model.path, graph, library, model_id=model.id, license=model.license, threads=threads, idle_unload_s=idle
        )  # fmt: skip
    if find_spec("torch") is None or find_spec("transformers") is None:
        raise EngineBroken("This voice needs torch and transformers: install svc-tts[neural].")
    if kind == "bark":
        return BarkEngine(model.path, model_id=model.id, threads=threads, idle_unload_s=idle)
    return VitsEngine(
        model.path, model_id=model.id, license=model.license, threads=threads, idle_unload_s=idle
    )
