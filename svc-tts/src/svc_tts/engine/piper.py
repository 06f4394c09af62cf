"""Piper's voices through ONNX Runtime: one voice a model (or several speakers), small and quick.

A voice is two files, `NAME.onnx` and `NAME.onnx.json`. The order of ids is that of `piper.phoneme_ids` (version 1.8).
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from servicekit.models import InstalledModel, ModelSlot
from svc_tts.engine.base import Audio, Voice, normal_language
from svc_tts.engine.espeak_library import EspeakLibrary
from svc_tts.engine.onnx import Graph
from svc_tts.engine.phonemes import for_piper
from svc_tts.errors import EngineBroken

READS = ("espeak", "text")
"""Kinds of phonemes that are made here; others need programs of their own."""
_PAD, _BEGIN, _END = "_", "^", "$"


class PiperEngine:
    """Speaks with the voice in `file`; loads it at the first use.

    Raises:
        EngineBroken: its settings cannot be read.
    """

    def __init__(
        self,
        file: Path,
        library: EspeakLibrary,
        *,
        model_id: str,
        license: str | None = None,
        threads: int = 2,
        idle_unload_s: float | None = None,
    ):
        self._file, self._library, self._threads = file, library, threads
        try:
            told = json.loads(file.with_name(file.name + ".json").read_text(encoding="utf-8"))
            self._settings = _Settings(told)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise EngineBroken(f"The settings of the voice '{model_id}' cannot be read.") from error
        self._voices = tuple(self._settings.voices(model_id))
        self.model = InstalledModel(
            model_id, "speech", owned_by="rhasspy", license=license, languages=(self._settings.language,),
            size_bytes=file.stat().st_size,
        )  # fmt: skip
        self.slot: ModelSlot[Graph] = ModelSlot(
            lambda: Graph(file, threads=threads, name=model_id), idle_unload_s=idle_unload_s, name=model_id
        )

    def voices(self) -> Sequence[Voice]:
        return self._voices

    def speak(self, text: str, voice: Voice, speed: float) -> Audio:
        settings = self._settings
        ids = settings.ids(self._said(text))
        values: dict[str, Any] = {
            "input": [ids],
            "input_lengths": [len(ids)],
            "scales": [settings.noise, settings.length / speed, settings.noise_w],
        }
        with self.slot.use() as graph:
            if "sid" in graph.inputs:
                values["sid"] = [settings.speakers.get(voice.id.rpartition(":")[2], 0)]
            if missing := set(values) - set(graph.inputs):
                raise EngineBroken(f"'{self.model.id}' is no Piper voice: it takes no {', '.join(missing)}.")
            wave = graph.run(**values).reshape(-1)
        return Audio(np.clip(wave, -1, 1).astype(np.float32), settings.rate_hz)

    def _said(self, text: str) -> list[str]:
        if self._settings.reads == "text":
            return list(unicodedata.normalize("NFD", text.lower()))
        return for_piper(text, self._settings.espeak_voice, self._library)


class _Settings:
    """What a voice's JSON tells."""

    def __init__(self, told: Mapping[str, Any]):
        self.rate_hz = int(told["audio"]["sample_rate"])
        self.reads = str(told.get("phoneme_type") or "espeak")
        self.espeak_voice = str(told["espeak"]["voice"])
        language = (told.get("language") or {}).get("code") or self.espeak_voice
        self.language = _language(str(language))
        scales = told.get("inference") or {}
        self.noise = float(scales.get("noise_scale", 0.667))
        self.length = float(scales.get("length_scale", 1.0))
        self.noise_w = float(scales.get("noise_w", 0.8))
        self.speakers = {str(name): int(place) for name, place in (told.get("speaker_id_map") or {}).items()}
        self._ids = {str(name): list(map(int, ids)) for name, ids in told["phoneme_id_map"].items()}

    def voices(self, model_id: str) -> list[Voice]:
        if len(self.speakers) < 2:
            return [Voice(model_id, model_id, self.language, model_id)]
        return [Voice(f"{model_id}:{one}", one, self.language, model_id) for one in self.speakers]

    def ids(self, phonemes: Sequence[str]) -> list[int]:
        """Return a beginning, each known phoneme with padding behind it, and an end."""
        pad = self._ids[_PAD]
        known = [place for one in phonemes if one in self._ids for place in (*self._ids[one], *pad)]
        return [*self._ids[_BEGIN], *pad, *known, *self._ids[_END]]


def _language(code: str) -> str:
    """Return `pt-br` for `pt_BR`, and `es` for `es_ES`: regions are kept where voices of several are told apart."""
    normal = normal_language(code)
    return normal if normal.split("-")[0] in ("pt", "en") else normal.split("-")[0]
