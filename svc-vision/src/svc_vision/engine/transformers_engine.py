"""The Engine over transformers folders: slots, one batching thread, one model at a time.

Owns which folder answers for which id. What a loaded network does is in `networks.py`.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

from PIL.Image import Image

from servicekit.batching import Batcher
from servicekit.errors import ModelNotFound
from servicekit.models import ModelSlot
from svc_vision.engine.base import Classification, Detection, Outcome, Task, TextLine, VisionModel
from svc_vision.engine.folders import ModelFolder


class Network(Protocol):
    """A loaded model."""

    def look(
        self, task: Task, images: Sequence[Image], questions: Sequence[str], left: Callable[[], bool]
    ) -> list[Any]:
        """Do one task for a batch, in order.

        Args:
            questions: one for each picture, empty for tasks other than `question`.
            left: whether everybody who asked is gone: what is written for them may end early.
        """
        ...


@dataclass(frozen=True)
class Look:
    """One RGB picture and what a model is to do with it."""

    model_id: str
    task: Task
    image: Image
    question: str = ""
    gone: threading.Event = field(default_factory=threading.Event, compare=False)
    """Set when whoever asked has left."""


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
        self._batcher: Batcher[Look, Done] = Batcher(
            self._run,
            kind=lambda look: (look.model_id, look.task),
            max_batch=max_batch,
            window_s=window_s,
            queue_limit=queue_limit,
            name="vision",
        )

    def add(self, folder: ModelFolder) -> VisionModel:
        """Take a model in, also while the engine runs; one of the same id is replaced."""
        described = folder.describe()
        self.slots[folder.id] = ModelSlot(
            lambda: self._load(folder),
            idle_unload_s=self._idle_unload_s,
            name=folder.id,
            freed=self._give_back,
        )
        self.models = (*(m for m in self.models if m.id != folder.id), described)
        return described

    def discard(self, model_id: str) -> None:
        """Let a model go. Raises Conflict while it is looking at a picture."""
        self.slots[model_id].unload()
        self.models = tuple(model for model in self.models if model.id != model_id)
        self.slots.pop(model_id).close()

    def _give_back(self) -> None:
        """Return a graphics card's memory, which torch keeps for its own next model, to all programs."""
        if self.device.startswith("cuda"):
            import torch

            torch.cuda.empty_cache()

    async def caption(self, model_id: str, image: Image) -> Outcome[str]:
        return cast(Outcome[str], await self._submit(Look(model_id, "caption", image)))

    async def detect(self, model_id: str, image: Image, threshold: float) -> Outcome[tuple[Detection, ...]]:
        made = await self._submit(Look(model_id, "detection", image))
        found = tuple(item for item in made.value if item.score >= threshold)
        return Outcome(found, made.queue_s, made.load_s, made.run_s)

    async def classify(self, model_id: str, image: Image, top_k: int) -> Outcome[tuple[Classification, ...]]:
        made = await self._submit(Look(model_id, "classification", image))
        return Outcome(made.value[:top_k], made.queue_s, made.load_s, made.run_s)

    async def ask(self, model_id: str, image: Image, question: str) -> Outcome[str]:
        return cast(Outcome[str], await self._submit(Look(model_id, "question", image, question)))

    async def read(self, model_id: str, image: Image) -> Outcome[tuple[TextLine, ...]]:
        return cast(Outcome[tuple[TextLine, ...]], await self._submit(Look(model_id, "ocr", image)))

    def queue(self) -> dict[str, int]:
        return self._batcher.counts()

    def close(self) -> None:
        self._batcher.close()
        for slot in self.slots.values():
            slot.close()

    async def _submit(self, look: Look) -> Outcome[Any]:
        (future,) = self._batcher.submit([look])
        try:
            done = await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            look.gone.set()
            raise
        result, load_s, run_s = done.value
        return Outcome(result, queue_s=done.queue_s, load_s=load_s, run_s=run_s)

    def _run(self, looks: list[Look]) -> list[Done]:
        """Run one gathered batch: pictures for one task of one model."""
        model_id, started = looks[0].model_id, time.monotonic()
        slot = self.slots.get(model_id)
        if slot is None:
            raise ModelNotFound(
                f"The model '{model_id}' was removed before it looked. GET /v1/models lists what is here.",
                param="model",
            )
        with slot.use() as network:
            loaded = time.monotonic()
            made = network.look(
                looks[0].task, [look.image for look in looks], [look.question for look in looks], _left(looks)
            )
        load_s, run_s = loaded - started, time.monotonic() - loaded
        return [(result, load_s, run_s) for result in made]


def _left(looks: Sequence[Look]) -> Callable[[], bool]:
    return lambda: all(look.gone.is_set() for look in looks)
