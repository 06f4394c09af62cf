"""Brings embedders and rerankers from the hub into the service while it runs. Part of `app`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from servicekit import hub
from servicekit.models import Catalogue, InstalledModel, ModelSlot, ServiceModels
from servicekit.models.obstacle import DoesNotRun
from svc_rag.domain.embedders import Embedders
from svc_rag.engine.base import Embedder, Reranker
from svc_rag.engine.bert import KINDS, OtherKind
from svc_rag.engine.memory_need import memory_need
from svc_rag.engine.slot_embedder import SlotEmbedder, SlotReranker
from svc_rag.engine.text_model import ReadJson, SeveralClasses, TextModel, on_disk, read_model, task_of
from svc_rag.settings import Settings


def build_installs(
    settings: Settings, embedders: Embedders, models: ServiceModels, catalogue: Catalogue
) -> hub.Installs:
    """Return what installs models."""

    def arrived(model: hub.ShelfModel) -> None:
        found = _readable(model.id, model.repo, model, on_disk(model.path))
        if not (model.path / "tokenizer.json").is_file():
            raise _refused(model.id, "has no tokenizer.json")
        slot = _add(settings, embedders, found)
        entry = InstalledModel(
            model.id, found.task, owned_by=model.repo.partition("/")[0], license=model.license,
            size_bytes=model.size_bytes, languages=model.languages,
        )  # fmt: skip
        models.add(entry, slot)

    def leaving(model_id: str) -> None:
        embedders.check_free(model_id)
        slot = models.slots.get(model_id)
        if slot is not None:
            slot.unload()
        embedders.discard(model_id)
        models.discard(model_id)

    return hub.connect(
        settings, catalogue, hub.Format.TRANSFORMERS, estimate, task="embedding", arrived=arrived,
        leaving=leaving, runs=runs,
    )  # fmt: skip


def estimate(needs: hub.Needs) -> int:
    """Return the memory of a model that runs here; raises BadRequest for another, before it is fetched."""
    names = {file.name for file in needs.files}

    def read(name: str) -> Any:
        return json.loads(needs.repository.small(needs.listing, name)) if name in names else None

    _readable(needs.listing.repo, needs.listing.repo, None, read)
    if "tokenizer.json" not in names:
        raise _refused(needs.listing.repo, "has no tokenizer.json")
    try:
        return memory_need(needs)
    except (TypeError, ValueError) as error:
        raise _refused(needs.listing.repo, "has sizes or weights that cannot be read") from error


def runs(config: Mapping[str, Any], name: str) -> None:
    """Raise DoesNotRun for a model of a catalogue that nothing here runs."""
    try:
        task_of(config)
    except ValueError as error:
        raise _refused(name, error) from error


def _readable(model_id: str, repo: str, model: hub.ShelfModel | None, read: ReadJson) -> TextModel:
    try:
        return read_model(model_id, repo, model.path if model else Path(), read)
    except ValueError as error:
        raise _refused(model_id, error) from error


def _refused(name: str, why: str | ValueError) -> DoesNotRun:
    kind = why.kind if isinstance(why, OtherKind) else None
    return DoesNotRun(
        f"'{name[:100]}' {why}. Choose an embedder or reranker of BERT's family with safetensors, such as "
        "multilingual-e5-small.",
        of="kind" if kind else "several_classes" if isinstance(why, SeveralClasses) else "other",
        found=kind,
        runs=KINDS if kind else (),
    )


def _add(settings: Settings, embedders: Embedders, model: TextModel) -> ModelSlot[Any]:
    idle_s, threads = settings.idle_unload_s or None, settings.embed_threads
    if model.task == "rerank":

        def load_reranker() -> Reranker:
            from svc_rag.engine.cross_encoder import CrossEncoder

            return CrossEncoder(model, threads)

        ranks: ModelSlot[Reranker] = ModelSlot(load_reranker, idle_unload_s=idle_s, name=model.id)
        embedders.add_reranker(SlotReranker(ranks, model.id))
        return ranks

    def load() -> Embedder:
        from svc_rag.engine.text_encoder import TextEncoder

        return TextEncoder(model, threads)

    slot: ModelSlot[Embedder] = ModelSlot(load, idle_unload_s=idle_s, name=model.id)
    embedders.add(SlotEmbedder(slot, model.space))
    return slot
