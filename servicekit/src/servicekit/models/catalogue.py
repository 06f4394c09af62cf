"""The catalogue: which public models a service can run, and whether this machine can hold them.

Owns the YAML format and the fits arithmetic. Knows nothing about installed or loaded models.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psutil
import yaml

from servicekit.models.obstacle import Obstacle

GIB = 1024**3
_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")
#: Part of the memory a model may take: the rest is for the system and the other services.
USABLE_MEMORY = 0.9


@dataclass(frozen=True)
class Machine:
    """What this machine has: memory that exists, and disk that is free where models are kept."""

    memory_bytes: int
    free_disk_bytes: int

    @classmethod
    def measure(cls, folder: Path | None = None) -> Machine:
        """Measure now. A container's memory limit counts as its memory."""
        memory = int(psutil.virtual_memory().total)
        try:
            memory = min(memory, int(_CGROUP_LIMIT.read_text().strip()))
        except (OSError, ValueError):
            pass  # no cgroup v2, or "max"
        there = (folder or Path.cwd()).absolute()
        while not there.exists() and there != there.parent:
            there = there.parent
        return cls(memory_bytes=memory, free_disk_bytes=shutil.disk_usage(there).free)


@dataclass(frozen=True)
class Lack:
    """What a model needs more of than a machine can give: `of` is `memory` or `disk`. As text it is the reason."""

    of: str
    needed_bytes: int
    there_bytes: int

    def __str__(self) -> str:
        of = "of memory" if self.of == "memory" else "on disk"
        needed, there = self.needed_bytes / GIB, self.there_bytes / GIB
        return f"needs {needed:.1f} GiB {of}, and this machine can give {there:.1f} GiB"


def lack(memory_bytes: int | None, disk_bytes: int | None, machine: Machine) -> Lack | None:
    """Return what is missing for a model that needs so much, None if it fits; None stands for what is not known."""
    usable = int(machine.memory_bytes * USABLE_MEMORY)
    if memory_bytes is not None and memory_bytes > usable:
        return Lack("memory", memory_bytes, usable)
    if disk_bytes is not None and disk_bytes > machine.free_disk_bytes:
        return Lack("disk", disk_bytes, machine.free_disk_bytes)
    return None


@dataclass(frozen=True)
class CatalogueEntry:
    """One public model. Sizes in bytes; `memory_bytes` is the peak while it answers, `also` what else it does.

    `revision` is the commit to take where the repository's main branch has no file that is taken here.
    """

    id: str
    task: str
    also: tuple[str, ...] = ()
    repo: str | None = None
    revision: str | None = None
    files: tuple[str, ...] = ()
    license: str | None = None
    noncommercial: bool = False
    languages: tuple[str, ...] = ()
    parameters: int | None = None
    quantization: str | None = None
    size_bytes: int | None = None
    memory_bytes: int | None = None
    publisher: str | None = None
    published: str | None = None
    """When its publisher gave it out: `2024-09`, or the year alone."""
    config: Mapping[str, Any] = field(default_factory=dict)
    """What the model's own configuration says, as far as engines decide by it whether they run it."""
    good_for: Mapping[str, str] = field(default_factory=dict)
    builtin: bool = False

    def lack(self, machine: Machine) -> Lack | None:
        """Return what is missing on this machine, or None if the model fits."""
        return lack(self.memory_bytes, None if self.builtin else self.size_bytes, machine)

    def as_dict(self, machine: Machine, cannot_run: Obstacle | None = None) -> dict[str, Any]:
        """Give the API's entry; `cannot_run` says why nothing here runs the model."""
        missing = self.lack(machine)
        return {
            "id": self.id,
            "repo": self.repo,
            "files": list(self.files),
            "task": self.task,
            "tasks": [self.task, *self.also],
            "license": self.license,
            "noncommercial": self.noncommercial,
            "languages": list(self.languages),
            "parameters": self.parameters,
            "quantization": self.quantization,
            "size_bytes": self.size_bytes,
            "memory_bytes": self.memory_bytes,
            "publisher": self.publisher,
            "published": self.published,
            "good_for": dict(self.good_for),
            "builtin": self.builtin,
            "fits": missing is None,
            "lack": asdict(missing) if missing else None,
            "runnable": cannot_run is None,
            "obstacle": cannot_run.as_dict() if cannot_run else None,
            "why_not": str(cannot_run or missing or "") or None,
        }


Judge = Callable[[CatalogueEntry], Obstacle | None]
"""Says why no engine of the service runs an entry, None if one does; asks nobody on the network."""


def runs_nothing(entry: CatalogueEntry) -> Obstacle | None:
    """Judge for a service that installs nothing: what is not built in does not run."""
    nothing = Obstacle("installs_nothing", "this service installs no models from a hub")
    return None if entry.builtin else nothing


@dataclass
class Catalogue:
    """The entries of one service, recommended ones first; `judge` is set by what installs them."""

    entries: tuple[CatalogueEntry, ...] = ()
    judge: Judge = runs_nothing

    @classmethod
    def from_yaml(cls, path: Path) -> Catalogue:
        """Read a catalogue file: a list of entries, or a mapping with the list under `models`.

        Raises:
            ValueError: an entry lacks `id` or `task`, holds an unknown field, or an id comes twice.
        """
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or []
        rows = content.get("models", []) if isinstance(content, dict) else content
        entries = tuple(_entry(row) for row in rows)
        ids = [entry.id for entry in entries]
        twice = sorted({model_id for model_id in ids if ids.count(model_id) > 1})
        if twice:
            raise ValueError(f"catalogue {path.name}: the ids {twice} come more than once")
        return cls(entries)

    def get(self, model_id: str) -> CatalogueEntry | None:
        return next((entry for entry in self.entries if entry.id == model_id), None)

    def first_for(self, task: str) -> str | None:
        """Return the id of the first model that does a task and can be installed."""
        return next((e.id for e in self.entries if e.repo and task in (e.task, *e.also)), None)

    def as_dict(self, machine: Machine, service: str) -> dict[str, Any]:
        """Give the body of `/v1/catalogue`."""
        rows = [entry.as_dict(machine, self.judge(entry)) | {"service": service} for entry in self.entries]
        return {"object": "list", "data": rows}


def _entry(row: Mapping[str, Any]) -> CatalogueEntry:
    missing = {"id", "task"} - set(row)
    unknown = set(row) - set(CatalogueEntry.__dataclass_fields__)
    if missing or unknown:
        raise ValueError(
            f"catalogue entry {row.get('id', '?')}: missing {sorted(missing)}, unknown {sorted(unknown)}"
        )
    values = dict(row)
    for name in ("also", "files", "languages"):
        values[name] = tuple(values.get(name) or ())
    for name in ("good_for", "config"):
        values[name] = dict(values.get(name) or {})
    return CatalogueEntry(**values)
