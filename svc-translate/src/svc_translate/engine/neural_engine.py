"""The Engine over neural models: slots, one batching thread, coverage of built-in models.

Owns which folder answers for which id. How a loaded model translates is the translator's matter
(`ct2.py`, `marian.py`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from servicekit.batching import Batcher
from servicekit.errors import ModelNotFound
from servicekit.models import ModelSlot
from svc_translate.engine.base import Outcome, Pair, TranslationModel
from svc_translate.engine.folders import Folder


class Translator(Protocol):
    """A loaded model."""

    def translate(self, sentences: Sequence[str], pair: Pair) -> list[tuple[str, float]]: ...

    def close(self) -> None: ...


Item = tuple[str, Pair, str]
"""(model id, direction, sentence)"""
Done = tuple[str, bool, float, float]
"""(translation, whether the model is unsure, load_s, run_s)"""


class NeuralEngine:
    """Translates with neural models, each loaded at its first use.

    Args:
        folders: the models; those with missing files are left out.
        load: makes a translator from a folder; called on the batching thread.
    """

    device = "cpu"

    def __init__(
        self,
        folders: Iterable[Folder],
        load: Callable[[Folder], Translator],
        *,
        idle_unload_s: float = 0.0,
        queue_limit: int = 512,
        window_s: float = 0.004,
        device: str = "cpu",
    ) -> None:
        self.device = device
        self._load, self._idle_unload_s = load, idle_unload_s
        self._folders: dict[str, Folder] = {}
        self.slots: dict[str, ModelSlot[Translator]] = {}
        self.models: tuple[TranslationModel, ...] = ()
        for folder in folders:
            if folder.complete:
                self.add(folder)
        self._batcher: Batcher[Item, Done] = Batcher(
            self._run,
            kind=lambda item: item[:2],
            window_s=window_s,
            queue_limit=queue_limit,
            name="translate",
        )

    def add(self, folder: Folder) -> TranslationModel:
        """Take a model in, also while the engine runs; one of the same id is replaced."""
        described = folder.described()
        self._folders[folder.id] = folder
        self.slots[folder.id] = ModelSlot(
            lambda: self._load(folder),
            lambda translator: translator.close(),
            idle_unload_s=self._idle_unload_s,
            name=folder.id,
        )
        self.models = (*(m for m in self.models if m.id != folder.id), described)
        return described

    def discard(self, model_id: str) -> tuple[Folder, list[Folder]]:
        """Let a model go; return its folder and those that stay. Raises Conflict while it translates."""
        self.slots[model_id].unload()
        self.models = tuple(model for model in self.models if model.id != model_id)
        gone = self._folders.pop(model_id)
        self.slots.pop(model_id).close()
        return gone, list(self._folders.values())

    def covers(self, model_id: str, pair: Pair, sentence: str) -> bool:
        return self._folders[model_id].covers(sentence)

    async def translate(self, model_id: str, pair: Pair, sentences: Sequence[str]) -> Outcome:
        futures = self._batcher.submit([(model_id, pair, sentence) for sentence in sentences])
        done = await asyncio.gather(*(asyncio.wrap_future(future) for future in futures))
        return Outcome(
            tuple(item.value[0] for item in done),
            unsure=frozenset(i for i, item in enumerate(done) if item.value[1]),
            queue_s=max((item.queue_s for item in done), default=0.0),
            load_s=max((item.value[2] for item in done), default=0.0),
            run_s=max((item.value[3] for item in done), default=0.0),
        )

    def queue(self) -> dict[str, int]:
        return self._batcher.counts()

    def close(self) -> None:
        self._batcher.close()
        for slot in self.slots.values():
            slot.close()

    def _run(self, items: list[Item]) -> list[Done]:
        """Translate one gathered batch: sentences for one model in one direction."""
        (model_id, pair, _), started = items[0], time.monotonic()
        folder, slot = self._folders.get(model_id), self.slots.get(model_id)
        if folder is None or slot is None:
            raise ModelNotFound(
                f"The model '{model_id}' was removed before it translated. GET /v1/models lists what is here.",
                param="model",
            )
        with slot.use() as translator:
            loaded = time.monotonic()
            made = translator.translate([sentence for _, _, sentence in items], pair)
        load_s, run_s = loaded - started, time.monotonic() - loaded
        least = None if folder.words is None else folder.least_score
        return [(text, least is not None and score < least, load_s, run_s) for text, score in made]
