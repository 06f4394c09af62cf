"""One model of a pool with the face of a `ModelSlot`, for the routes of models. Knows nothing about budgets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from servicekit.models.slot import SlotState
from svc_chat.engine.pool_entry import Entry, ModelFile

if TYPE_CHECKING:
    from svc_chat.engine.pool import ModelPool

T = TypeVar("T")


class Handle(Generic[T]):
    """What `/v1/models` shows and does of one model."""

    def __init__(self, pool: ModelPool[T], file: ModelFile, entry: Entry[T]):
        self._pool, self._id, self._problem, self._entry = pool, file.id, file.problem, entry

    @property
    def state(self) -> SlotState:
        return "failed" if self._problem is not None else self._entry.state

    @property
    def loaded(self) -> bool:
        return self._entry.slot.loaded

    @property
    def progress(self) -> float:
        return self._entry.slot.progress

    @property
    def error(self) -> str | None:
        return self._problem or self._entry.slot.error

    def load(self) -> None:
        """Load; blocks."""
        self._pool.load(self._id).result()

    def begin(self) -> None:
        """Begin to load; raises what is known at once."""
        self._pool.load(self._id)

    def unload(self) -> bool:
        """Free; blocks."""
        return self._pool.unload(self._id)
