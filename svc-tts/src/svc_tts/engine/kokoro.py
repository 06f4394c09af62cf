"""Kokoro through ONNX Runtime: one model, some fifty voices, natural speech at 24 kHz.

The folder is laid out as `onnx-community/Kokoro-82M-v1.0-ONNX`: the graph under `onnx/`, `tokenizer.json` with the ids
of its phonemes, and under `voices/` a file of float32 for each voice: a style of 256 numbers for each length of a text
in phonemes. Japanese and Mandarin voices need other phonemes than espeak-ng's and are not offered.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from servicekit.models import InstalledModel, ModelSlot
from svc_tts.engine.base import Audio, Voice
from svc_tts.engine.espeak_library import EspeakLibrary
from svc_tts.engine.onnx import Graph
from svc_tts.engine.phonemes import for_kokoro
from svc_tts.errors import EngineBroken

RATE_HZ = 24_000
STYLE = 256
MOST_TOKENS = 510
"""The model holds 512, two of them the marks at both ends."""
_LANGUAGES = {"a": ("en-us", "en-us"), "b": ("en-gb", "en-gb"), "e": ("es", "es"), "f": ("fr", "fr"),
              "h": ("hi", "hi"), "i": ("it", "it"), "p": ("pt-br", "pt-br")}  # fmt: skip
"""By the first letter of a voice's name: its language, and espeak-ng's name of that."""
VOICE_FILE = re.compile(rf"voices/([{''.join(_LANGUAGES)}][fm]_\w+)\.bin")


@dataclass(frozen=True)
class _Loaded:
    graph: Graph
    tokens_name: str
    ids: Mapping[str, int]


class KokoroEngine:
    """Speaks with the Kokoro model in `folder`; loads it at the first use."""

    def __init__(
        self,
        folder: Path,
        graph: str,
        library: EspeakLibrary,
        *,
        model_id: str,
        license: str | None = None,
        threads: int = 2,
        idle_unload_s: float | None = None,
    ):
        self._folder, self._graph, self._library, self._threads = folder, graph, library, threads
        self._voices = tuple(_voices_in(folder, model_id))
        self.model = InstalledModel(
            model_id, "speech", owned_by="hexgrad", license=license,
            languages=tuple(dict.fromkeys(voice.language for voice in self._voices)),
            size_bytes=sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()),
        )  # fmt: skip
        self.slot: ModelSlot[_Loaded] = ModelSlot(self._load, idle_unload_s=idle_unload_s, name=model_id)

    def voices(self) -> Sequence[Voice]:
        return self._voices

    def speak(self, text: str, voice: Voice, speed: float) -> Audio:
        phonemes = for_kokoro(text, _LANGUAGES[voice.id[0]][1], self._library)
        with self.slot.use() as loaded:
            ids = [loaded.ids[one] for one in phonemes if one in loaded.ids]
            if not ids:
                return Audio(np.zeros(1, np.float32), RATE_HZ)
            styles = self._styles(voice)
            sounds = [self._say(loaded, part, styles, speed) for part in _parts(ids, loaded.ids.get(" ", -1))]
        return Audio(np.clip(np.concatenate(sounds), -1, 1).astype(np.float32), RATE_HZ)

    def _say(self, loaded: _Loaded, ids: list[int], styles: Any, speed: float) -> np.ndarray[Any, Any]:
        values = {
            loaded.tokens_name: [[0, *ids, 0]],
            "style": styles[min(len(ids), len(styles)) - 1].reshape(1, STYLE),
            "speed": [speed],
        }
        return loaded.graph.run(**values).reshape(-1)

    def _styles(self, voice: Voice) -> np.ndarray[Any, Any]:
        """Read a voice, shape (n, 256): its style for a text of so many phonemes."""
        numbers = np.fromfile(self._folder / "voices" / f"{voice.id}.bin", dtype="<f4")
        if numbers.size == 0 or numbers.size % STYLE:
            raise EngineBroken(f"The file of the voice '{voice.id}' is damaged. Install the model again.")
        return numbers.reshape(-1, STYLE)

    def _load(self) -> _Loaded:
        graph = Graph(self._folder / self._graph, threads=self._threads, name=self.model.id)
        try:
            told = json.loads((self._folder / "tokenizer.json").read_text(encoding="utf-8"))
            ids = {str(name): int(place) for name, place in told["model"]["vocab"].items()}
        except (OSError, ValueError, KeyError, AttributeError) as error:
            raise EngineBroken(f"The phonemes of '{self.model.id}' cannot be read.") from error
        names = [name for name in ("input_ids", "tokens") if name in graph.inputs]
        if not names or not {"style", "speed"} <= set(graph.inputs):
            raise EngineBroken(f"'{self.model.id}' is no Kokoro model: it takes {', '.join(graph.inputs)}.")
        return _Loaded(graph, names[0], ids)


def _parts(ids: list[int], space: int) -> Iterator[list[int]]:
    """Cut what the model cannot hold, at a space where there is one."""
    while len(ids) > MOST_TOKENS:
        cut = next((at for at in range(MOST_TOKENS, 0, -1) if ids[at] == space), MOST_TOKENS)
        yield ids[:cut]
        ids = ids[cut:]
    yield ids


def _voices_in(folder: Path, model_id: str) -> Iterator[Voice]:
    for file in sorted(folder.glob("voices/*.bin")):
        if found := VOICE_FILE.fullmatch(f"voices/{file.name}"):
            language = _LANGUAGES[found[1][0]][0]
            yield Voice(found[1], found[1].partition("_")[2].title(), language, model_id)
