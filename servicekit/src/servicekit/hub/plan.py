"""What installing a model would take, said before a byte of weights is fetched."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import PurePosixPath
from typing import Any

from servicekit.errors import ModelNotFound
from servicekit.hub.choosing import Format, Layout, RepoFile, choose
from servicekit.hub.errors import DoesNotFit
from servicekit.hub.repository import Listing, Repository
from servicekit.models.catalogue import USABLE_MEMORY, Catalogue, CatalogueEntry, Lack, Machine, lack

_REPO = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")
TIGHT = 0.75
"""A model that takes more than this part of the usable memory fits, but leaves little to the others."""


@dataclass(frozen=True)
class Target:
    """What is to be installed and under which id."""

    id: str
    repo: str
    revision: str | None = None
    files: tuple[str, ...] = ()
    task: str | None = None
    languages: tuple[str, ...] = ()
    license: str | None = None
    noncommercial: bool = False


@dataclass(frozen=True)
class Needs:
    """What a service's estimate may look at: the listing, the chosen files, and small stretches of them."""

    repository: Repository
    listing: Listing
    files: tuple[RepoFile, ...]

    @property
    def weights_bytes(self) -> int:
        """Bytes of all weights."""
        return sum(file.size for file in self.files if file.is_weights)

    def opened_weights(self) -> io.RawIOBase:
        """Return the largest file of weights as a seekable file: only what is read is fetched."""
        largest = max((file for file in self.files if file.is_weights), key=lambda file: file.size)
        return self.repository.opened(self.listing, largest)

    def head(self, name: str, count: int) -> bytes:
        """Return the first bytes of a chosen file."""
        file = next(file for file in self.files if file.name == name)
        with self.repository.opened(self.listing, file) as content:
            return content.read(count) or b""

    def json(self, name: str) -> dict[str, Any]:
        """Return a configuration file, `{}` where there is none."""
        if all(file.name != name for file in self.files):
            return {}
        found = json.loads(self.repository.small(self.listing, name))
        return found if isinstance(found, dict) else {}


Estimate = Callable[[Needs], int | None]
"""Bytes of memory that the model takes at most while it answers; None: it cannot be told."""
Runs = Callable[[Mapping[str, Any], str], object]
"""Looks at a model's configuration and its name; raises ServiceError if no engine here runs it."""


@dataclass(frozen=True)
class Plan:
    """A target, resolved to one commit and its files, held against this machine."""

    target: Target
    commit: str
    files: tuple[RepoFile, ...]
    license: str | None
    languages: tuple[str, ...]
    memory_bytes: int | None
    machine: Machine
    nearest: str | None = None
    """The largest model of the catalogue for the same task that does fit."""

    @property
    def download_bytes(self) -> int:
        return sum(file.size for file in self.files)

    @property
    def lack(self) -> Lack | None:
        """What is missing on this machine, None if the model fits."""
        return lack(self.memory_bytes, self.download_bytes, self.machine)

    @property
    def fit(self) -> str:
        """`fits`, `tight` or `does_not_fit`."""
        if self.lack is not None:
            return "does_not_fit"
        usable = self.machine.memory_bytes * USABLE_MEMORY
        return "tight" if self.memory_bytes is not None and self.memory_bytes > TIGHT * usable else "fits"

    def check(self) -> None:
        """Raise DoesNotFit, with the nearest model that does."""
        if (missing := self.lack) is not None:
            remedy = (
                f"'{self.nearest}' would fit."
                if self.nearest
                else "No model of the catalogue for this task fits."
            )
            raise DoesNotFit(f"'{self.target.id}' {missing}. {remedy}", param="id")

    def as_dict(self) -> dict[str, Any]:
        """Give what the API shows."""
        missing = self.lack
        return {
            "object": "model.plan",
            "id": self.target.id,
            "repo": self.target.repo,
            "commit": self.commit,
            "files": [{"name": file.name, "size_bytes": file.size} for file in self.files],
            "download_bytes": self.download_bytes,
            "memory_bytes": self.memory_bytes,
            "machine": asdict(self.machine),
            "fit": self.fit,
            "lack": asdict(missing) if missing else None,
            "why_not": str(missing) if missing else None,
            "nearest": self.nearest,
            "license": self.license,
            "noncommercial": self.target.noncommercial,
            "languages": list(self.languages),
        }

    def payload(self) -> dict[str, Any]:
        """Give what a job needs to carry it out, as JSON."""
        return {
            "id": self.target.id,
            "repo": self.target.repo,
            "commit": self.commit,
            "files": [asdict(file) for file in self.files],
            "license": self.license,
            "languages": list(self.languages),
            "task": self.target.task,
        }


class Planner:
    """Finds what an id means and what it takes.

    Args:
        repository: the hub.
        catalogue: the service's; its ids stand for repositories.
        form: how the service's models lie on disk.
        estimate: the service's rule for memory.
        machine: measures memory and free disk.
        default_task: task of models that the catalogue does not name.
        layout: the service's own rule for the choice of files, asked before that of `form`.
    """

    def __init__(
        self,
        repository: Repository,
        catalogue: Catalogue,
        form: Format,
        estimate: Estimate,
        machine: Callable[[], Machine],
        default_task: str,
        layout: Layout | None = None,
    ) -> None:
        self._repository, self._catalogue, self._form = repository, catalogue, form
        self._estimate, self._machine, self._task = estimate, machine, default_task
        self._layout = layout

    def plan(self, model_id: str, revision: str | None = None) -> Plan:
        """Ask the hub and say what installing takes; fetches configuration only. Blocks.

        Raises:
            ModelNotFound: the id is neither in the catalogue nor a repository's name.
            UnsafeModel, RepositoryNotFound, RepositoryGated, HubUnreachable.
        """
        target = self.target(model_id, revision)
        listing = self._repository.listing(target.repo, target.revision)
        names = {file.name for file in listing.files}
        form = (
            Format.TRANSFORMERS
            if self._form is Format.DIFFUSERS and "model_index.json" not in names
            else self._form
        )
        components: dict[str, object] = {}
        if form is Format.DIFFUSERS:
            components = json.loads(self._repository.small(listing, "model_index.json"))
        chosen = tuple(
            choose(listing.files, form, named=target.files, components=components, layout=self._layout)
        )
        needs = Needs(self._repository, listing, chosen)
        if form is Format.GGUF and self._catalogue.get(target.id) is None:
            # as models by path are named: by their file
            weights = next(file for file in chosen if file.is_weights)
            target = replace(target, id=PurePosixPath(weights.name).stem)
        return Plan(
            target=target,
            commit=listing.commit,
            files=chosen,
            license=target.license or listing.license,
            languages=target.languages or listing.languages,
            memory_bytes=self._estimate(needs),
            machine=self._machine(),
            nearest=self._nearest(target),
        )

    def target(self, model_id: str, revision: str | None = None) -> Target:
        """Read an id of the catalogue, `owner/name` or `owner/name:file`."""
        entry = self._catalogue.get(model_id)
        if entry is not None and entry.repo:
            return _target(entry, revision)
        repo, _, file = model_id.partition(":")
        if _REPO.fullmatch(repo):
            known = next((e for e in self._catalogue.entries if e.repo == repo and not file), None)
            if known is not None:
                return _target(known, revision)
            return Target(model_id, repo, revision, (file,) if file else (), self._task)
        there = ", ".join(e.id for e in self._catalogue.entries if e.repo)
        raise ModelNotFound(
            f"'{model_id[:100]}' is neither in this service's catalogue nor a repository's name. "
            f"Catalogue: {there}. Any repository works too, as owner/name.",
            param="id",
        )

    def _nearest(self, target: Target) -> str | None:
        machine, task = self._machine(), target.task or self._task
        fitting = [
            e for e in self._catalogue.entries
            if e.task == task and e.id != target.id and e.repo and e.lack(machine) is None
            and self._catalogue.judge(e) is None
        ]  # fmt: skip
        return max(fitting, key=lambda e: e.parameters or e.size_bytes or 0).id if fitting else None


def _target(entry: CatalogueEntry, revision: str | None) -> Target:
    return Target(
        entry.id, entry.repo or "", revision or entry.revision, entry.files, entry.task, entry.languages, entry.license,
        entry.noncommercial,
    )  # fmt: skip
