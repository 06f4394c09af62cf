"""The models a service has installed, by name and by alias.

Owns name resolution and the `/v1/models` entries. Knows nothing about HTTP or files.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from servicekit.errors import ModelNotFound
from servicekit.models.catalogue import Catalogue, Machine
from servicekit.models.memory import SIZE_FACTOR, Memory
from servicekit.models.search import CatalogueQuery
from servicekit.models.slot import SlotState

LISTED_MOST = 8
"""Models that a message names."""


@dataclass(frozen=True)
class InstalledModel:
    """One model that can answer now; `task` is chat, image, caption, detection, classification,
    translation, speech or embedding; `also` is what else it does."""

    id: str
    task: str
    owned_by: str = "oficina"
    created: int = 0
    builtin: bool = False
    license: str | None = None
    size_bytes: int | None = None
    languages: tuple[str, ...] = ()
    memory_bytes: int | None = None
    """Memory that it takes at most when it is loaded."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """What a request may choose with this model, by the request's fields: `default`, `minimum`, `maximum`, `choices`."""
    also: tuple[str, ...] = ()


class Loadable(Protocol):
    """A model that can be loaded and freed: a ModelSlot, or one model of a pool."""

    @property
    def state(self) -> SlotState: ...

    @property
    def loaded(self) -> bool: ...

    @property
    def progress(self) -> float: ...

    @property
    def error(self) -> str | None: ...

    def load(self) -> None: ...

    def begin(self) -> None: ...

    def unload(self) -> bool: ...


def resolve(
    name: str | None,
    entries: Sequence[InstalledModel],
    aliases: Mapping[str, str],
    default: str | None,
) -> InstalledModel:
    """Find the model that a client means.

    `name` None or empty means `default`. An installed name wins over an alias of the same name. An
    alias leads to a model id, or to a task, which stands for the default model of that task.

    Raises:
        ModelNotFound: neither installed nor an alias; the message lists what is there.
    """
    by_id = {entry.id: entry for entry in entries}
    wanted = name or default
    if wanted in by_id:
        return by_id[wanted]
    target = aliases.get(wanted) if wanted is not None else None
    found = _alias_target(target, by_id, default) if target is not None else None
    if found is not None:
        return found
    raise ModelNotFound(
        f"The model '{_short(wanted)}' is not installed. Installed models: {listed(by_id)}. "
        "GET /v1/models lists them, with their aliases.",
        param="model",
    )


def listed(ids: Iterable[str]) -> str:
    """Return the names for a message: the shortest first, as those of trainings and their checkpoints are long."""
    names = sorted(ids, key=lambda name: (len(name), name))
    more = len(names) - LISTED_MOST
    return ", ".join(names[:LISTED_MOST]) + (f" and {more} more" if more > 0 else "") or "none"


def _alias_target(
    target: str, by_id: Mapping[str, InstalledModel], default: str | None
) -> InstalledModel | None:
    if target in by_id:
        return by_id[target]
    chosen = by_id.get(default) if default is not None else None
    if chosen is not None and target in (chosen.task, "default"):
        return chosen
    return next((entry for entry in by_id.values() if entry.task == target), None)


def _short(name: str | None) -> str:
    text = name or ""
    return text if len(text) <= 80 else text[:77] + "..."


class ServiceModels:
    """What one service can answer with: installed models, their aliases and slots, its catalogue.

    `unlisted` are parts of other models: nobody chooses them, but they take memory and are freed by their id.
    """

    def __init__(
        self,
        service: str,
        entries: Iterable[InstalledModel],
        *,
        default: str | None = None,
        aliases: Mapping[str, str] | None = None,
        slots: Mapping[str, Loadable] | None = None,
        catalogue: Catalogue | None = None,
        folder: Path | None = None,
        unlisted: Iterable[InstalledModel] = (),
    ) -> None:
        self.service = service
        self.unlisted = tuple(unlisted)
        self.entries = tuple(entries)
        self.default = default or (self.entries[0].id if self.entries else None)
        self.aliases = dict(aliases or {})
        self.slots = dict(slots or {})
        self.catalogue = catalogue or Catalogue()
        self.folder = folder
        self._memory: Memory | None = None

    def editions(self) -> tuple[str, ...]:
        """Return the default model's id, and that of each model that is installed with its size."""
        return (self.default or "", *(f"{entry.id} {entry.size_bytes}" for entry in self.entries))

    def share(self, memory: Memory) -> None:
        """Let every load ask `memory` first, also of models that come later."""
        self._memory = memory
        for entry in self.entries:
            self._cover(entry)

    def _cover(self, entry: InstalledModel) -> None:
        if self._memory is not None and (slot := self.slots.get(entry.id)) is not None:
            need = entry.memory_bytes or int((entry.size_bytes or 0) * SIZE_FACTOR)
            self._memory.cover(entry.id, slot, lambda: need)

    def add(self, entry: InstalledModel, slot: Loadable | None = None) -> None:
        """Take a model in while the service runs; one of the same id is replaced."""
        self.entries = (*(e for e in self.entries if e.id != entry.id), entry)
        if slot is not None:
            self.slots[entry.id] = slot
        self._cover(entry)
        self.default = self.default or entry.id

    def update(self, entry: InstalledModel) -> None:
        """Tell something else of a model that is here."""
        self.entries = tuple(entry if e.id == entry.id else e for e in self.entries)

    def discard(self, model_id: str) -> None:
        """Let a model go; another becomes the default if it was that."""
        self.entries = tuple(e for e in self.entries if e.id != model_id)
        self.slots.pop(model_id, None)
        if self.default == model_id:
            self.default = self.entries[0].id if self.entries else None

    def resolve(self, name: str | None) -> InstalledModel:
        part = next((entry for entry in self.unlisted if entry.id == name), None)
        return part or resolve(name, self.entries, self.aliases, self.default)

    def load(self, name: str) -> InstalledModel:
        """Load a model; blocks. A model without a slot is always ready."""
        entry = self.resolve(name)
        if slot := self.slots.get(entry.id):
            slot.load()
        return entry

    def begin(self, name: str) -> InstalledModel:
        """Begin to load a model; its entry tells how it goes."""
        entry = self.resolve(name)
        if slot := self.slots.get(entry.id):
            slot.begin()
        return entry

    def unload(self, name: str) -> InstalledModel:
        """Free a model; blocks. Raises Conflict while it is in use."""
        entry = self.resolve(name)
        if slot := self.slots.get(entry.id):
            slot.unload()
        return entry

    def describe(self, entry: InstalledModel, *, alias: str | None = None) -> dict[str, Any]:
        """Give one `/v1/models` entry."""
        slot = self.slots.get(entry.id)
        row: dict[str, Any] = {
            "id": alias or entry.id,
            "object": "model",
            "created": entry.created,
            "owned_by": entry.owned_by,
            "task": entry.task,
            "tasks": [entry.task, *entry.also],
            "builtin": entry.builtin,
            "loaded": slot.loaded if slot is not None else True,
            "state": slot.state if slot is not None else "ready",
            "progress": round(slot.progress, 3) if slot is not None else 1.0,
            "error": slot.error if slot is not None else None,
            "memory_bytes": entry.memory_bytes,
            "license": entry.license,
            "size_bytes": entry.size_bytes,
            "languages": list(entry.languages),
            "options": dict(entry.options),
            "service": self.service,
        }
        if alias is not None:
            row["alias_of"] = entry.id
        return row

    def listing(self) -> dict[str, Any]:
        """Give the `/v1/models` body: installed models first, then the aliases that lead to them."""
        by_id = {entry.id: entry for entry in self.entries}
        rows = [self.describe(entry) for entry in self.entries]
        for alias, target in self.aliases.items():
            found = None if alias in by_id else _alias_target(target, by_id, self.default)
            if found is not None:
                rows.append(self.describe(found, alias=alias))
        return {"object": "list", "data": rows}

    def catalogue_listing(self, wanted: CatalogueQuery | None = None) -> dict[str, Any]:
        """Give the `/v1/catalogue` body: what is `wanted`, or all."""
        told = self.catalogue.as_dict(Machine.measure(self.folder), self.service)
        return told if wanted is None else told | {"data": wanted.keep(told["data"])}
