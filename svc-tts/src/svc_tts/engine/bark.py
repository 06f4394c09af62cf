"""Bark through transformers: expressive and slow; its voices are presets such as `v2/pt_speaker_1`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from servicekit.models import InstalledModel, ModelSlot
from svc_tts.engine.base import Audio, Voice
from svc_tts.errors import EngineBroken

_LANGUAGES = {"pt": "pt-br", "en": "en-us", "es": "es", "fr": "fr", "de": "de", "it": "it"}
_SPEAKERS = 10


class BarkEngine:
    """Speaks with the Bark model in `folder`. `speed` is not something Bark can change: it is ignored."""

    def __init__(
        self,
        folder: Path,
        *,
        model_id: str | None = None,
        threads: int = 2,
        idle_unload_s: float | None = None,
    ):
        self._folder, self._threads = folder, threads
        self.model = InstalledModel(
            model_id or folder.name,
            "speech",
            owned_by="suno",
            license="MIT",
            languages=tuple(_LANGUAGES.values()),
        )
        self.slot: ModelSlot[tuple[Any, Any]] = ModelSlot(
            self._load, idle_unload_s=idle_unload_s, name=self.model.id
        )

    def voices(self) -> Sequence[Voice]:
        return [
            Voice(f"v2/{code}_speaker_{n}", f"Bark {code} {n}", language, self.model.id)
            for code, language in _LANGUAGES.items()
            for n in range(_SPEAKERS)
        ]

    def speak(self, text: str, voice: Voice, speed: float) -> Audio:
        import torch

        with self.slot.use() as (model, processor), torch.inference_mode():
            inputs = processor(text, voice_preset=self._preset(voice))
            wave = model.generate(**inputs)[0].float().numpy()
            rate = int(model.generation_config.sample_rate)
        return Audio(np.clip(wave, -1, 1).astype(np.float32), rate)

    def _preset(self, voice: Voice) -> str | None:
        """Name the preset when its files lie in the folder; otherwise Bark chooses a voice itself."""
        files = self._folder / "speaker_embeddings" / f"{voice.id}_semantic_prompt.npy"
        return voice.id if files.is_file() else None

    def _load(self) -> tuple[Any, Any]:
        try:
            import torch
            from transformers import AutoProcessor, BarkModel
        except ImportError as error:
            raise EngineBroken("Bark needs torch and transformers: install svc-tts[neural].") from error
        torch.set_num_threads(self._threads)
        try:
            model = BarkModel.from_pretrained(self._folder, use_safetensors=True, local_files_only=True)
            return model.eval(), AutoProcessor.from_pretrained(self._folder, local_files_only=True)
        except (OSError, ValueError, RuntimeError) as error:
            raise EngineBroken(f"The voice model '{self._folder.name}' cannot be loaded.") from error
