"""VITS through transformers (MMS-TTS and its like): one folder, one language, a neural voice."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from servicekit.models import InstalledModel, ModelSlot
from svc_tts.engine.base import Audio, Voice
from svc_tts.errors import EngineBroken

_LANGUAGES = {"por": "pt-br", "eng": "en-us", "spa": "es", "fra": "fr", "deu": "de"}


class VitsEngine:
    """Speaks with the VITS model in `folder`; loads it at the first use."""

    def __init__(
        self,
        folder: Path,
        *,
        model_id: str | None = None,
        license: str | None = None,
        threads: int = 1,
        idle_unload_s: float | None = None,
    ):
        self._folder, self._threads = folder, threads
        self._language = _language_of(folder)
        self.model = InstalledModel(
            model_id or folder.name, "speech", owned_by="local", license=license, languages=(self._language,),
            size_bytes=sum(f.stat().st_size for f in folder.glob("*.safetensors")),
        )  # fmt: skip
        self.slot: ModelSlot[tuple[Any, Any]] = ModelSlot(
            self._load, idle_unload_s=idle_unload_s, name=self.model.id
        )

    def voices(self) -> Sequence[Voice]:
        return [Voice(self.model.id, self.model.id, self._language, self.model.id)]

    def speak(self, text: str, voice: Voice, speed: float) -> Audio:
        import torch

        with self.slot.use() as (model, tokenizer), torch.inference_mode():
            tokens = tokenizer(text, return_tensors="pt")
            if tokens["input_ids"].shape[-1] == 0:
                return Audio(np.zeros(1, np.float32), model.config.sampling_rate)
            model.speaking_rate = speed
            wave = model(**tokens).waveform[0].float().numpy()
        return Audio(np.clip(wave, -1, 1).astype(np.float32), int(model.config.sampling_rate))

    def _load(self) -> tuple[Any, Any]:
        try:
            import torch
            from transformers import AutoTokenizer, VitsModel
        except ImportError as error:
            raise EngineBroken("VITS voices need torch and transformers: install svc-tts[neural].") from error
        torch.set_num_threads(self._threads)
        try:
            model = VitsModel.from_pretrained(self._folder, use_safetensors=True, local_files_only=True)
            return model.eval(), AutoTokenizer.from_pretrained(self._folder, local_files_only=True)
        except (OSError, ValueError, RuntimeError) as error:
            raise EngineBroken(f"The voice model '{self.model.id}' cannot be loaded.") from error


def _language_of(folder: Path) -> str:
    """Read the language from the tokenizer's settings, or from the end of the folder's name."""
    file = folder / "tokenizer_config.json"
    settings = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    code = str(settings.get("language") or folder.name.rsplit("-", 1)[-1]).lower()
    return _LANGUAGES.get(code, code)
