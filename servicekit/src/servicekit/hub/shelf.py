"""Where installed models stand: one folder each, made whole elsewhere and then renamed into place.

A folder with a manifest is a verified model; anything else is a download that is not finished.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from servicekit.hub.choosing import RepoFile

MANIFEST = "oficina.json"
_PARTS, _LEAVING = ".parts", ".leaving"
_CHUNK = 1 << 20
PARTS_KEPT_S = 30 * 86_400.0
"""What was fetched of a model stays so long after the last try, so that the next one goes on with it."""


@dataclass(frozen=True)
class ShelfModel:
    """One installed model; `path` is its folder."""

    id: str
    path: Path
    repo: str
    commit: str
    files: tuple[RepoFile, ...]
    license: str | None = None
    languages: tuple[str, ...] = ()
    task: str | None = None

    @property
    def size_bytes(self) -> int:
        return sum(file.size for file in self.files)

    @property
    def weights(self) -> Path:
        """The largest file of weights: for a GGUF, the model."""
        largest = max((f for f in self.files if f.is_weights), key=lambda f: f.size)
        return self.path / largest.name


class Shelf:
    """The models of one service under one folder."""

    def __init__(self, root: Path):
        self.root = root
        self._parts, self._leaving = root / _PARTS, root / _LEAVING

    def tidy(self) -> None:
        """Remove what half-left at a crash, and downloads that were given up. Only at the start, while nobody installs."""
        shutil.rmtree(self._leaving, ignore_errors=True)
        for folder in list(self._parts.iterdir()) if self._parts.is_dir() else []:
            if time.time() - _touched(folder) > PARTS_KEPT_S:
                shutil.rmtree(folder, ignore_errors=True)

    def models(self) -> list[ShelfModel]:
        """Return what is installed, by id."""
        if not self.root.is_dir():
            return []
        found = [self._read(folder) for folder in self.root.iterdir() if not folder.name.startswith(".")]
        return sorted((model for model in found if model is not None), key=lambda model: model.id)

    def get(self, model_id: str) -> ShelfModel | None:
        """Return the installed model of that id."""
        return next((model for model in self.models() if model.id == model_id), None)

    def parts(self, model_id: str) -> Path:
        """Return the folder where a download of this model gathers; it outlives crashes."""
        folder = self._parts / folder_name(model_id)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def part_bytes(self, model_id: str) -> int:
        """Return how much of a download is there already."""
        folder = self._parts / folder_name(model_id)
        size = 0
        for file in folder.rglob("*") if folder.is_dir() else ():
            with suppress(OSError):  # a download renames its files
                size += file.stat().st_size if file.is_file() else 0
        return size

    def publish(self, model: ShelfModel) -> None:
        """Put a whole, verified download into its place. Until the rename nobody sees it."""
        folder = self.parts(model.id)
        described = {key: value for key, value in asdict(model).items() if key != "path"}
        target = folder / MANIFEST
        target.write_text(json.dumps(described, indent=1), encoding="utf-8")
        _sync(target)
        place = self.root / folder_name(model.id)
        self._discard(place)
        os.replace(folder, place)
        _sync(self.root)

    def remove(self, model_id: str) -> bool:
        """Free the disk of a model and of what was fetched of it; tell whether there was any."""
        there = [
            folder
            for folder in (self.root / folder_name(model_id), self._parts / folder_name(model_id))
            if folder.exists()
        ]
        for folder in there:
            self._discard(folder)
        return bool(there)

    def _discard(self, folder: Path) -> None:
        """Remove a folder so that a crash never leaves a half model under its name."""
        if not folder.exists():
            return
        self._leaving.mkdir(parents=True, exist_ok=True)
        gone = self._leaving / f"{folder.name}-{os.getpid()}-{os.urandom(4).hex()}"
        os.replace(folder, gone)
        shutil.rmtree(gone, ignore_errors=True)

    def _read(self, folder: Path) -> ShelfModel | None:
        try:
            told: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
            files = tuple(RepoFile(**file) for file in told.pop("files"))
            languages = tuple(told.pop("languages", ()))
            return ShelfModel(path=folder, files=files, languages=languages, **told)
        except (OSError, ValueError, TypeError, KeyError):
            return None


def folder_name(model_id: str) -> str:
    """Return a folder name for an id: readable, and different for different ids."""
    readable = re.sub(r"[^A-Za-z0-9._-]+", "--", model_id).strip(".-")[:80]
    return f"{readable}-{hashlib.sha256(model_id.encode()).hexdigest()[:8]}"


def matches(path: Path, file: RepoFile) -> bool:
    """Tell whether a file has the size and the hash that the hub promised."""
    if not path.is_file() or path.stat().st_size != file.size:
        return False
    if file.sha256:
        digest = hashlib.sha256()
    elif file.blob_id:
        # git's own hash of a file, which the hub gives for small ones
        digest = hashlib.sha1(b"blob %d\0" % file.size, usedforsecurity=False)
    else:
        return True
    with path.open("rb") as content:
        while chunk := content.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest() == (file.sha256 or file.blob_id)


def _touched(folder: Path) -> float:
    """Return when something in a folder was written last; a link counts itself, what is gone meanwhile does not."""
    last = 0.0
    for path in (folder, *folder.rglob("*")):
        with suppress(OSError):
            last = max(last, path.lstat().st_mtime)
    return last or time.time()


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
