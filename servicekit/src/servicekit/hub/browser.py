"""Models that the web page runs itself: which of a repository's ONNX files it needs, and handing them to the page.

They stand on a service's shelf beside its own, installed by the same jobs; the service runs none of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fastapi import APIRouter
from fastapi.responses import FileResponse

from servicekit.errors import NotFound
from servicekit.hub.choosing import RepoFile
from servicekit.hub.errors import RepositoryNotFound
from servicekit.hub.plan import Estimate
from servicekit.hub.shelf import Shelf, ShelfModel
from servicekit.models.catalogue import Catalogue, CatalogueEntry

CAPTION, TEXT = "browser-caption", "browser-text"
TASKS = {CAPTION: ("encoder_model", "decoder_model_merged"), TEXT: ("model",)}
"""Tasks of the catalogue, and the graphs that Transformers.js wants for each."""
ONNX = "onnx/"
PROCESSOR = ("_quantized", "_int8", "_uint8", "_q4")
"""Endings of graphs for a processor, the first that a repository has for all its graphs is taken."""
GRAPHICS = ("_q4f16", "_fp16")
"""The same for graphics processors; a repository may have none."""
_BESIDE = frozenset(
    {
        "config.json", "generation_config.json", "preprocessor_config.json", "tokenizer.json",
        "tokenizer_config.json", "chat_template.jinja",
    }
)  # fmt: skip
_HEADERS = {"cache-control": "private, max-age=31536000, immutable", "x-content-type-options": "nosniff"}


def layout(files: Mapping[str, RepoFile], named: Sequence[str]) -> list[RepoFile] | None:
    """Choose the files of a repository that a catalogue asks `onnx/` of: a Layout. ONNX is data, it runs no code.

    Raises:
        RepositoryNotFound: there are no graphs of a size for browsers.
    """
    if ONNX not in named:
        return None
    for graphs in TASKS.values():
        chosen = _graphs(files, graphs, PROCESSOR)
        if chosen:
            beside = [file for name, file in sorted(files.items()) if name in _BESIDE]
            return [*beside, *chosen, *_graphs(files, graphs, GRAPHICS)]
    raise RepositoryNotFound(
        f"The repository has no quantized ONNX graphs in '{ONNX}' for the browser ({', '.join(PROCESSOR)}).",
        param="id",
    )


def _graphs(files: Mapping[str, RepoFile], graphs: Iterable[str], endings: Iterable[str]) -> list[RepoFile]:
    for ending in endings:
        names = [f"{ONNX}{graph}{ending}.onnx" for graph in graphs]
        if all(name in files for name in names):
            return [files[name] for name in names]
    return []


def are_for_browsers(files: Iterable[RepoFile]) -> bool:
    """Tell whether these are the files that `layout` chose."""
    return any(file.name.startswith(ONNX) for file in files)


def beside(own: Estimate) -> Estimate:
    """Return a service's estimate of memory that lets models for the page pass: the service never loads them."""
    return lambda needs: None if are_for_browsers(needs.files) else own(needs)


def is_for_browsers(model: ShelfModel) -> bool:
    """Tell whether a model on the shelf is for the page and not for the service."""
    return model.task in TASKS


def router(prefix: str, shelf: Shelf, catalogue: Catalogue) -> APIRouter:
    """Make the routes under `prefix` (`/v1/vision`): the list, and the files by ranges."""
    routes = APIRouter(prefix=f"{prefix}/browser-models", tags=["models"])

    @routes.get("")
    async def list_models() -> dict[str, Any]:
        """List the models for the page: installed ones with their files, and those that could be."""
        return {"object": "list", "data": await asyncio.to_thread(_rows)}

    @routes.get("/{commit}/{model_id}/{name:path}", response_class=FileResponse)
    async def read_file(commit: str, model_id: str, name: str) -> FileResponse:
        """Read a file of an installed model; it never changes at this address. Ranges are answered with 206."""
        model = await asyncio.to_thread(shelf.get, model_id)
        if model is None or not is_for_browsers(model) or model.commit != commit:
            raise NotFound("No such model for the browser is installed at this commit. List them again.")
        if all(file.name != name for file in model.files):
            raise NotFound(f"The model has no file '{name[:80]}'.")
        return FileResponse(model.path / name, media_type="application/octet-stream", headers=_HEADERS)

    def _rows() -> list[dict[str, Any]]:
        there = {model.id: model for model in shelf.models() if is_for_browsers(model)}
        known = [entry for entry in catalogue.entries if entry.task in TASKS]
        return [_row(entry, there.get(entry.id), f"{prefix}/browser-models") for entry in known]

    return routes


def _row(entry: CatalogueEntry, model: ShelfModel | None, place: str) -> dict[str, Any]:
    return {
        "id": entry.id,
        "task": entry.task.removeprefix("browser-"),
        "license": entry.license,
        "languages": list(entry.languages),
        "size_bytes": model.size_bytes if model else entry.size_bytes,
        "good_for": dict(entry.good_for),
        "installed": model is not None,
        "version": model.commit if model else None,
        "base": f"{place}/{model.commit}/{model.id}/" if model else None,
        "files": [{"name": file.name, "size": file.size} for file in model.files] if model else [],
    }
