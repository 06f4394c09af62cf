"""Brings Marian models from the hub into the engine while it runs. Part of `app`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from servicekit import hub
from servicekit.errors import BadRequest
from servicekit.models import Catalogue, ServiceModels
from svc_translate.build import entry_of
from svc_translate.engine.base import Engine, Pair
from svc_translate.engine.folders import MarianFolder, read_words
from svc_translate.engine.marian_engine import MarianEngine
from svc_translate.engine.memory_need import memory_need
from svc_translate.settings import Settings

_NAMED = re.compile(r"(?:^|[/-])([a-z]{2})-([a-z]{2})$")
_BRAZILIAN = ">>pob<<"


def build_installs(
    settings: Settings, engines: Sequence[Engine], models: ServiceModels, catalogue: Catalogue
) -> hub.Installs | None:
    """Return what installs models; None where no engine here runs them."""
    engine = next((one for one in engines if isinstance(one, MarianEngine)), None)
    if engine is None:
        return None

    def arrived(model: hub.ShelfModel) -> None:
        folder = folder_of(model)
        models.add(entry_of(engine.add(folder)), engine.slots[folder.id])

    def leaving(model_id: str) -> None:
        engine.discard(model_id)
        models.discard(model_id)

    return hub.connect(
        settings, catalogue, hub.Format.TRANSFORMERS, estimate, task="translation", arrived=arrived,
        leaving=leaving, runs=check_kind,
    )  # fmt: skip


def estimate(needs: hub.Needs) -> int:
    """Return the memory of a model that runs here; raises BadRequest for another, before it is fetched."""
    check_kind(needs.json("config.json"), needs.listing.repo)
    names = {file.name for file in needs.files}
    if not {"source.spm", "target.spm", "vocab.json", "model.safetensors"} <= names:
        raise BadRequest(
            f"'{needs.listing.repo}' lacks its SentencePiece files. Marian models (opus-mt) with safetensors run here.",
            param="id",
        )
    return memory_need(needs)


def check_kind(config: Mapping[str, Any], name: str) -> None:
    """Raise BadRequest if a model of that configuration does not translate here."""
    kind = str(config.get("model_type"))
    if kind != "marian":
        raise BadRequest(
            f"'{name[:100]}' is a {kind[:40]} model, which does not translate here. Marian models (opus-mt) with "
            "safetensors do.",
            param="id",
        )


def folder_of(model: hub.ShelfModel) -> MarianFolder:
    """Read what a folder translates.

    Raises:
        BadRequest: it is no Marian model, or its direction cannot be told.
    """
    pair = _pair(model)
    label = _BRAZILIAN if pair.target == "pt" and _has_label(model, _BRAZILIAN) else None
    folder = MarianFolder(
        model.id,
        pair,
        model.path,
        label=label,
        license=model.license,
        words=read_words(model.path / "words.txt"),
    )
    if not folder.complete:
        raise BadRequest(
            f"'{model.id}' is no Marian model with SentencePiece files: config.json, model.safetensors, source.spm, "
            "target.spm and vocab.json are needed. Choose an opus-mt model.",
            param="id",
        )
    return folder


def _pair(model: hub.ShelfModel) -> Pair:
    file = model.path / "tokenizer_config.json"
    told = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    named = _NAMED.search(model.repo.lower()) or _NAMED.search(model.id.lower())
    if len(model.languages) == 2:
        return Pair(*model.languages)
    if named:
        return Pair(named[1], named[2])
    source, target = str(told.get("source_lang") or ""), str(told.get("target_lang") or "")
    if len(source) == 2 and len(target) == 2:
        return Pair(source, target)
    raise BadRequest(
        f"What '{model.id}' translates cannot be told from its name or its tokenizer's settings. Put its folder on the "
        "machine and name it in TRANSLATE_EXTRA_MODELS as id=source-target=/folder.",
        param="id",
    )


def _has_label(model: hub.ShelfModel, label: str) -> bool:
    file = model.path / "vocab.json"
    return file.is_file() and f'"{label}"' in file.read_text(encoding="utf-8")
