"""The GGUF files that the settings name, kept up to date while they come and go.

Owns names: a file's stem, and `<base>+<adapter>` for an adapter on its base. A file that cannot be used stays in the
list with the reason. Knows nothing about loading.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from servicekit.models import InstalledModel
from svc_chat.engine.gguf_header import GgufHeader, read_header
from svc_chat.engine.pool_entry import ModelFile
from svc_chat.errors import ModelBroken

BUILTIN_LANGUAGES = ("pt-BR", "en")


@dataclass(frozen=True)
class Adapter:
    """A LoRA file on a base, under an id of its own. A `trained` one never changes, it only comes and goes."""

    id: str
    base: str
    path: Path
    trained: bool = False


@dataclass(frozen=True)
class Listing:
    """What there is now: for the pool, and for `/v1/models`, in one order, those that cannot be used last.

    `unlisted` take memory as `models` do and are in no list of models.
    """

    files: tuple[ModelFile, ...] = ()
    models: tuple[InstalledModel, ...] = ()
    unlisted: tuple[InstalledModel, ...] = ()


@dataclass(frozen=True)
class _Seen:
    """A file as it was looked at: its header, or why it has none."""

    version: tuple[int, int, int]
    header: GgufHeader | None
    problem: str | None = None


class ModelLibrary:
    """Looks at the files; not thread-safe.

    Args:
        places: GGUF files, and folders whose `.gguf` files count; the first file of a name wins.
        adapters: (base model's id, LoRA file) pairs.
        trained: adapters that come and go while the service runs.
        builtin: the file that comes with the program.
        need: how much memory a model takes.
        analyst: the file that stands in for the built-in model where tables are computed with; it is not listed.
    """

    def __init__(
        self,
        places: Sequence[Path],
        adapters: Sequence[tuple[str, Path]],
        builtin: Path,
        need: Callable[[GgufHeader], int],
        trained: Callable[[], Iterable[Adapter]] = tuple,
        analyst: Path | None = None,
    ):
        self._places = [*places, analyst] if analyst is not None else places
        self._builtin, self._need, self._trained, self._analyst = builtin, need, trained, analyst
        self._fixed = [Adapter(f"{base}+{path.stem}", base, path) for base, path in adapters]
        self._adapters: Sequence[Adapter] = self._fixed
        self._seen: dict[Path, _Seen] = {}
        self.listing = Listing()

    def computing(self, model_id: str) -> str:
        """Return the name of the file that computes with tables for a model: most often its own."""
        if not any(model.id == model_id and model.builtin for model in self.listing.models):
            return model_id
        sound = (
            file.id for file in self.listing.files if file.path == self._analyst and file.problem is None
        )
        return next(sound, model_id)

    def scan(self) -> bool:
        """Look for files that came, went or changed, and read only their headers; True if there were any. Blocks."""
        self._adapters = [*self._fixed, *self._trained()]
        found = {path: version for path in self._paths() if (version := _version(path)) is not None}
        known = {path: seen.version for path, seen in self._seen.items()}
        if found == known:
            return False
        self._seen = {
            path: self._seen[path] if known.get(path) == version else _look(path, version)
            for path, version in found.items()
        }
        self.listing = self._listed()
        return True

    def _paths(self) -> Iterator[Path]:
        for place in self._places:
            yield from _files_in(place)
        for adapter in self._adapters:
            yield adapter.path

    def _listed(self) -> Listing:
        files: dict[str, ModelFile] = {}
        models: dict[str, InstalledModel] = {}
        unlisted: tuple[InstalledModel, ...] = ()
        for place in self._places:
            for path in _files_in(place):
                seen = self._seen.get(path)
                wanted = seen is not None and (seen.header is None or seen.header.kind == "model")
                if seen is not None and wanted and path.stem not in files:
                    files[path.stem] = self._file(path, seen)
                    if path == self._analyst:
                        unlisted = (self._installed(path, seen),)
                    else:
                        models[path.stem] = self._installed(path, seen)
        for file, model in self._adapted(files, models):
            files.setdefault(file.id, file)
            models.setdefault(model.id, model)
        order = sorted(files, key=lambda name: files[name].problem is not None)
        listed = tuple(models[name] for name in order if name in models)
        return Listing(tuple(files[name] for name in order), listed, unlisted)

    def _file(self, path: Path, seen: _Seen) -> ModelFile:
        own = [a for a in self._adapters if a.base == path.stem and a.path in self._seen]
        headers = (self._seen[a.path].header for a in own)
        extra = sum(header.file_bytes for header in headers if header is not None)
        memory = self._need(seen.header) + extra if seen.header is not None else 0
        # a loaded base keeps its adapters open: it is loaded again when one of them changes
        version = (seen.version, *(self._seen[a.path].version for a in own if not a.trained))
        return ModelFile(path.stem, path, memory_bytes=memory, version=version, problem=seen.problem)

    def _installed(self, path: Path, seen: _Seen) -> InstalledModel:
        own, header = path in (self._builtin, self._analyst), seen.header
        license_, languages = (header.license, header.languages) if header is not None else (None, ())
        return InstalledModel(
            path.stem,
            "chat",
            created=seen.version[1] // 1_000_000_000,
            builtin=own,
            license="MIT" if own else license_,
            size_bytes=seen.version[0],
            languages=BUILTIN_LANGUAGES if own else languages,
            memory_bytes=self._need(header) if header is not None else None,
        )

    def _adapted(
        self, files: dict[str, ModelFile], models: dict[str, InstalledModel]
    ) -> Iterable[tuple[ModelFile, InstalledModel]]:
        """Give each adapter whose base is there a name of its own."""
        for adapter in self._adapters:
            base, path, name = adapter.base, adapter.path, adapter.id
            seen = self._seen.get(path)
            if seen is None or base not in models:
                continue
            problem = files[base].problem or seen.problem or self._misfit(files[base].path, seen, name)
            file = replace(files[base], id=name, adapter_path=path, problem=problem)
            licence = seen.header.license if seen.header is not None else None
            size = (models[base].size_bytes or 0) + seen.version[0]
            yield (
                file,
                replace(
                    models[base],
                    id=name,
                    builtin=False,
                    owned_by="user" if adapter.trained else models[base].owned_by,
                    created=seen.version[1] // 1_000_000_000 if adapter.trained else models[base].created,
                    license=licence or models[base].license,
                    size_bytes=size,
                ),
            )

    def _misfit(self, base: Path, adapter: _Seen, name: str) -> str | None:
        model = self._seen[base].header
        if model is None or adapter.header is None:
            return None
        if adapter.header.kind != "adapter":
            return f"The model '{name}' cannot be used: the adapter's file holds no LoRA adapter."
        if adapter.header.architecture != model.architecture:
            return (
                f"The model '{name}' cannot be used: its adapter is for {adapter.header.architecture[:40]} models, "
                f"its base is of {model.architecture[:40]}."
            )
        return None


def _files_in(place: Path) -> list[Path]:
    """Return the file itself, or the GGUF files of a folder by name."""
    if not place.is_dir():
        return [place]
    try:
        with os.scandir(place) as entries:
            names = sorted(e.name for e in entries if e.name.endswith(".gguf") and not e.name.startswith("."))
    except OSError:
        return []
    return [place / name for name in names]


def _version(path: Path) -> tuple[int, int, int] | None:
    """Return what changes when the file does: size, time, inode; None if it is not there."""
    try:
        facts = path.stat()
    except OSError:
        return None
    return facts.st_size, facts.st_mtime_ns, facts.st_ino


def _look(path: Path, version: tuple[int, int, int]) -> _Seen:
    try:
        return _Seen(version, read_header(path))
    except ModelBroken as error:
        return _Seen(version, None, error.message)
