"""Tells what a model's folder translates, from its files, its name and the languages it is said to know."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from servicekit.errors import BadRequest
from svc_translate.engine.base import Pair
from svc_translate.engine.folders import Folder, ManyFolder, MarianFolder, is_converted, read_words
from svc_translate.engine.language_codes import languages_in
from svc_translate.engine.vocabulary import M2M100_LANGUAGES, PIECES, shared_tokens, special_tokens

_NAMED = re.compile(r"(?:^|[/-])([a-z]{2})-([a-z]{2})(?:-ct|$)")
_INTO = re.compile(r"-([a-z]{2})(?:-ct|$)")
_BRAZILIAN = ">>pob<<"


@dataclass(frozen=True)
class Repository:
    """A folder that came from a repository, and what is said of it."""

    id: str
    path: Path
    repo: str
    languages: tuple[str, ...] = ()
    license: str | None = None


def folder_of(model: Repository) -> Folder:
    """Read what a folder translates.

    Raises:
        BadRequest: it is no model that runs here, or its direction cannot be told.
    """
    folder = _many(model) if (model.path / PIECES).is_file() else _marian(model)
    if not folder.complete:
        raise BadRequest(
            f"'{model.id}' is no Marian model with SentencePiece files: config.json, model.safetensors, source.spm, "
            "target.spm and vocab.json are needed. Choose an opus-mt model.",
            param="id",
        )
    return folder


def _many(model: Repository) -> ManyFolder:
    if is_converted(model.path):
        tokens = shared_tokens(model.path)
    elif (model.path / "vocab.json").is_file():
        tokens = [f"__{code}__" for code in M2M100_LANGUAGES]
    else:
        tokens = special_tokens(model.path)
    languages = languages_in(tokens)
    if not languages:
        raise BadRequest(
            f"The files of '{model.id}' do not name its languages. Choose a repository of M2M100 or NLLB with its "
            "tokenizer's settings.",
            param="id",
        )
    return ManyFolder(model.id, languages, model.path, license=model.license)


def _marian(model: Repository) -> MarianFolder:
    pair, sources = _direction(model)
    label = _BRAZILIAN if pair.target == "pt" and _has_label(model.path, _BRAZILIAN) else None
    words = read_words(model.path / "words.txt")
    return MarianFolder(
        model.id, pair, model.path, label=label, license=model.license, words=words, sources=sources
    )


def _direction(model: Repository) -> tuple[Pair, tuple[str, ...]]:
    file = model.path / "tokenizer_config.json"
    told = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    if len(model.languages) == 2:
        return Pair(*model.languages), ()
    for name in (model.repo.lower(), model.id.lower()):
        if named := _NAMED.search(name):
            return Pair(named[1], named[2]), ()
        if (into := _INTO.search(name)) and into[1] in model.languages:
            sources = tuple(code for code in model.languages if code != into[1])
            return Pair(sources[0], into[1]), sources
    source, target = str(told.get("source_lang") or ""), str(told.get("target_lang") or "")
    if len(source) == 2 and len(target) == 2:
        return Pair(source, target), ()
    raise BadRequest(
        f"What '{model.id}' translates cannot be told from its name or its tokenizer's settings. Put its folder on the "
        "machine and name it in TRANSLATE_EXTRA_MODELS as id=source-target=/folder.",
        param="id",
    )


def _has_label(path: Path, label: str) -> bool:
    files = [path / name for name in ("vocab.json", "shared_vocabulary.json", "shared_vocabulary.txt")]
    return any(file.is_file() and label in file.read_text(encoding="utf-8") for file in files)
