"""Bark through transformers: expressive and slow; its voices are presets such as `v2/pt_speaker_1`.

A preset is three arrays of numbers beside the weights. Where a folder has none, Bark chooses a voice itself.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from servicekit.models import InstalledModel, ModelSlot
from svc_tts.engine.base import Audio, Voice
from svc_tts.errors import EngineBroken

_LANGUAGES = {"pt": "pt-br", "en": "en-us", "es": "es", "fr": "fr", "de": "de", "it": "it"}
PRESET_FILE = re.compile(
    rf"speaker_embeddings/(v2/({'|'.join(_LANGUAGES)})_speaker_\d)_(?:semantic|coarse|fine)_prompt\.npy"
)


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
        self._voices = tuple(_voices_in(folder, model_id or folder.name))
        self.model = InstalledModel(
            model_id or folder.name,
            "speech",
            owned_by="suno",
            license="MIT",
            languages=tuple(dict.fromkeys(voice.language for voice in self._voices)),
        )
        self.slot: ModelSlot[tuple[Any, Any]] = ModelSlot(
            self._load, idle_unload_s=idle_unload_s, name=self.model.id
        )

    def voices(self) -> Sequence[Voice]:
        return self._voices

    def speak(self, text: str, voice: Voice, speed: float) -> Audio:
        import torch

        with self.slot.use() as (model, processor), torch.inference_mode():
            inputs = processor(text, voice_preset=voice.id if voice.id.startswith("v2/") else None)
            wave = model.generate(**inputs)[0].float().numpy()
            rate = int(model.generation_config.sample_rate)
        return Audio(np.clip(wave, -1, 1).astype(np.float32), rate)

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


def _voices_in(folder: Path, model_id: str) -> list[Voice]:
    names = (
        file.relative_to(folder).as_posix() for file in sorted(folder.glob("speaker_embeddings/v2/*.npy"))
    )
    presets = {found[1]: found[2] for name in names if (found := PRESET_FILE.fullmatch(name))}
    if not presets:
        return [
            Voice(f"bark-{code}", f"Bark {code}", language, model_id) for code, language in _LANGUAGES.items()
        ]
    return [
        Voice(preset, f"Bark {code} {preset[-1]}", _LANGUAGES[code], model_id)
        for preset, code in presets.items()
    ]
