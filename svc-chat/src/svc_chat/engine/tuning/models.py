"""The models that trainings made, as the library of models and the listing see them.

A snapshot in memory of what the store has: whoever adds or deletes one calls `refresh`. Thread-safe: it is replaced whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from svc_chat.engine.library import Adapter
from svc_chat.engine.tuning.base import TrainedModel, TuningStore

PREFIX = "ft:"
"""Ids of trained models begin so, as OpenAI's do."""


class TrainedModels:
    """Which trained models there are, where their files lie, and whose they are."""

    def __init__(self, store: TuningStore, folder: Path):
        self._store, self._folder = store, folder
        self._models: Mapping[str, TrainedModel] = {}
        self.on_change: Callable[[], None] = lambda: None
        """Called after they were read again."""

    def refresh(self) -> None:
        """Read them again. Blocks."""
        self._models = {model.id: model for model in self._store.models()}
        self.on_change()

    def adapters(self) -> Iterator[Adapter]:
        """Return them as adapters for the library."""
        for model in self._models.values():
            yield Adapter(model.id, model.base, self.path(model), trained=True)

    def path(self, model: TrainedModel) -> Path:
        """Return where a model's file lies."""
        return self._folder / model.job_id / model.file

    def visible(self, model_id: str, owner: str) -> bool:
        """Tell whether `owner` may see a model: those that trainings made are their owner's alone."""
        if not model_id.startswith(PREFIX):
            return True
        model = self._models.get(model_id)
        return model is not None and model.owner == owner
