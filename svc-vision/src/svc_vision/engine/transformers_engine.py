"""The Engine over transformers folders: slots, one batching thread, one model at a time.

Owns which folder answers for which id. What a loaded network does is in `networks.py`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, cast

from PIL.Image import Image

from servicekit.models import ModelSlot
from svc_vision.engine.base import Classification, Detection, Outcome, VisionModel
from svc_vision.engine.batching import Batcher
from svc_vision.engine.folders import ModelFolder


class Network(Protocol):
    """A loaded model."""

    def run(self, images: Sequence[Image]) -> list[Any]: ...


Item = tuple[str, Image]
"""(model id, RGB picture)"""
Done = tuple[Any, float, float]
"""(result, load_s, run_s)"""


class TransformersEngine:
    """Runs vision models, each loaded at its first use.

    Args:
        folders: the models; those with missing files are left out.
        load: makes a network from a folder; called on the batching thread or by a slot.
        max_batch: pictures that go through a model together; bounds its memory.
    """

    def __init__(
        self,
        folders: Iterable[ModelFolder],
        load: Callable[[ModelFolder], Network],
        *,
        device: str = "cpu",
        idle_unload_s: float = 0.0,
        queue_limit: int = 64,
        max_batch: int = 8,
        window_s: float = 0.004,
    ) -> None:
        self.device = device
        self._load, self._idle_unload_s = load, idle_unload_s
        self.models: tuple[VisionModel, ...] = ()
        self.slots: dict[str, ModelSlot[Network]] = {}
        for folder in folders:
            if folder.complete:
                self.add(folder)
        self._batcher: Batcher[Item, Done] = Batcher(
            self._run, max_batch=max_batch, window_s=window_s, queue_limit=queue_limit, name="vision"
        )

    def add(self, folder: ModelFolder) -> VisionModel:
        """Take a model in, also while the engine runs; one of the same id is replaced."""
        described = folder.describe()
        self.slots[folder.id] = ModelSlot(
            lambda: self._load(folder), idle_unload_s=self._idle_unload_s, name=folder.id
        )
        self.models = (*(m for m in self.models if m.id != folder.id), described)
        return described

    def discard(self, model_id: str) -> None:
        """Let a model go. Raises Conflict while it is looking at a picture."""
        self.slots[model_id].unload()
        self.models = tuple(model for model in self.models if model.id != model_id)
        self.slots.pop(model_id).close()

    async def caption(self, model_id: str, image: Image) -> Outcome[str]:
        return cast(Outcome[str], await self._submit(model_id, image))

    async def detect(self, model_id: str, image: Image, threshold: float) -> Outcome[tuple[Detection, ...]]:
        made = await self._submit(model_id, image)
        found = tuple(item for item in made.value if item.score >= threshold)
        return Outcome(found, made.queue_s, made.load_s, made.run_s)

    async def classify(self, model_id: str, image: Image, top_k: int) -> Outcome[tuple[Classification, ...]]:
        made = await self._submit(model_id, image)
        return Outcome(made.value[:top_k], made.queue_s, made.load_s, made.run_s)

    def queue(self) -> dict[str, int]:
        return self._batcher.counts()

    def close(self) -> None:
        self._batcher.close()
        for slot in self.slots.values():
            slot.close()

    async def _submit(self, model_id: str, image: Image) -> Outcome[Any]:
        (future,) = self._batcher.submit([(model_id, image)])
        done = await asyncio.wrap_future(future)
        result, load_s, run_s = done.value
        return Outcome(result, queue_s=done.queue_s, load_s=load_s, run_s=run_s)

    def _run(self, items: list[Item]) -> list[Done]:
        """Run one gathered batch, model by model."""
        results: dict[int, Done] = {}
        for model_id in dict.fromkeys(model_id for model_id, _ in items):
            places = [i for i, item in enumerate(items) if item[0] == model_id]
            started = time.monotonic()
            with self.slots[model_id].use() as network:
                loaded = time.monotonic()
                made = network.run([items[i][1] for i in places])
            load_s, run_s = loaded - started, time.monotonic() - loaded
            results.update({i: (result, load_s, run_s) for i, result in zip(places, made, strict=True)})
        return [results[i] for i in range(len(items))]
