"""Brings translation models from the hub into the engine while it runs. Part of `app`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from servicekit import hub
from servicekit.errors import BadRequest
from servicekit.hub.errors import UnsafeModel
from servicekit.models import Catalogue, ServiceModels
from servicekit.models.obstacle import DoesNotRun
from svc_translate.build import copies_of, entry_of
from svc_translate.engine.base import Engine
from svc_translate.engine.convert import converted, forget
from svc_translate.engine.folders import WEIGHTS, MarianFolder
from svc_translate.engine.memory_need import memory_need
from svc_translate.engine.neural_engine import NeuralEngine
from svc_translate.engine.ready_header import is_translator
from svc_translate.engine.spec import KINDS
from svc_translate.engine.vocabulary import PIECES, SHARED
from svc_translate.recognizing import Repository, folder_of
from svc_translate.settings import Settings

_SAYS = (
    "Models that translate here: Marian (opus-mt), M2M100 and NLLB, as safetensors or in CTranslate2's format, each "
    "with its SentencePiece files."
)


def build_installs(
    settings: Settings, engines: Sequence[Engine], models: ServiceModels, catalogue: Catalogue
) -> hub.Installs | None:
    """Return what installs models; None where no engine here runs them."""
    engine = next((one for one in engines if isinstance(one, NeuralEngine)), None)
    if engine is None:
        return None

    def arrived(model: hub.ShelfModel) -> None:
        folder = folder_of(Repository(model.id, model.path, model.repo, model.languages, model.license))
        if not (isinstance(folder, MarianFolder) and settings.engine == "transformers"):
            converted(folder, copies_of(settings))  # now, so that nobody's first sentence waits for it
        models.add(entry_of(engine.add(folder)), engine.slots[folder.id])

    def leaving(model_id: str) -> None:
        gone, others = engine.discard(model_id)
        models.discard(model_id)
        forget(gone, copies_of(settings), others)

    return hub.connect(
        settings, catalogue, hub.Format.TRANSFORMERS, estimate, task="translation", arrived=arrived,
        leaving=leaving, runs=check_kind, layout=ready_made,
    )  # fmt: skip


def ready_made(files: Mapping[str, hub.RepoFile], named: Sequence[str]) -> list[hub.RepoFile] | None:
    """Choose the files of a folder in CTranslate2's format; its `model.bin` is no pickle (`estimate` looks into it)."""
    vocabulary = next((name for name in SHARED if name in files), None)
    pieces = [name for name in (PIECES, "source.spm", "target.spm") if name in files]
    if WEIGHTS not in files or vocabulary is None or not pieces:
        return None
    beside = [name for name in ("config.json", "tokenizer_config.json") if name in files]
    return [files[name] for name in (WEIGHTS, vocabulary, *pieces, *beside)]


def estimate(needs: hub.Needs) -> int:
    """Return the memory of a model that runs here; raises BadRequest for another, before it is fetched."""
    names = {file.name for file in needs.files}
    if WEIGHTS in names:
        if not is_translator(needs.head(WEIGHTS, 32)):
            raise UnsafeModel(
                f"'{WEIGHTS}' of '{needs.listing.repo}' is not in CTranslate2's format. {_SAYS}",
                of="other",
            )
        return memory_need(needs)
    config = needs.json("config.json")
    check_kind(config, needs.listing.repo)
    pieces = {"source.spm", "target.spm", "vocab.json"} if config["model_type"] == "marian" else {PIECES}
    if not pieces <= names or not any(name.endswith(".safetensors") for name in names):
        raise BadRequest(f"'{needs.listing.repo}' lacks its SentencePiece files. {_SAYS}", param="id")
    return memory_need(needs)


def check_kind(config: Mapping[str, Any], name: str) -> None:
    """Raise DoesNotRun if a model of that configuration does not translate here."""
    kind = str(config.get("model_type"))
    if kind not in KINDS:
        raise DoesNotRun(
            f"'{name[:100]}' is a {kind[:40]} model, which does not translate here. {_SAYS}",
            of="kind",
            found=kind[:40],
            runs=KINDS,
        )
