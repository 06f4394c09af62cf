"""Which files of a repository a model needs. Pure: names and sizes in, names out.

Weights are taken as safetensors or GGUF only. Pickles (`.bin`, `.pt`, `.ckpt`, `.pkl`) can run code when they are
opened, other frameworks' copies (`.msgpack`, `.h5`, `.onnx`, `.ot`) are of no use here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath

from servicekit.errors import BadRequest
from servicekit.hub.errors import RepositoryNotFound, UnsafeModel

WEIGHTS = (".safetensors", ".gguf")
_BESIDE = (".json", ".txt", ".model", ".spm", ".jinja", ".vocab", ".bpe")
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")
_NEVER = frozenset({"training_args.json", "trainer_state.json", "README.json"})
_LICENCE = re.compile(r"(?i)licen[cs]e(\.\w+)?|readme\.md")
_MODULE = re.compile(r"\d+_\w+/config\.json")
"""Settings of sentence-transformers' steps after the network."""
PREFERRED_QUANTIZATIONS = ("Q4_K_M", "Q4_0", "Q5_K_M", "Q8_0")
"""Of several GGUF files the first of these is taken when none is named: small, and little is lost."""


class Format(StrEnum):
    """How a service's models lie on disk."""

    GGUF = "gguf"
    """One file that llama.cpp reads."""
    TRANSFORMERS = "transformers"
    """A folder with `config.json` and safetensors."""
    DIFFUSERS = "diffusers"
    """A folder with `model_index.json` and a folder for each component."""


@dataclass(frozen=True)
class RepoFile:
    """One file of a repository; `sha256` is known for large files, `blob_id` (git's SHA-1) for small ones."""

    name: str
    size: int
    sha256: str | None = None
    blob_id: str | None = None

    @property
    def is_weights(self) -> bool:
        return self.name.endswith(WEIGHTS)


Layout = Callable[[Mapping[str, RepoFile], Sequence[str]], list[RepoFile] | None]
"""A service's own rule for repositories that no format here describes: the files by name and the names asked for in,
what to fetch out, None where it is not that layout. The service answers for it that no code is run when they are
opened."""


def choose(
    files: Sequence[RepoFile],
    form: Format,
    *,
    named: Sequence[str] = (),
    components: Mapping[str, object] | None = None,
    layout: Layout | None = None,
) -> list[RepoFile]:
    """Return the files to fetch.

    Args:
        named: file names that a catalogue or the caller asks for; empty, or with folders among them (`unet/`):
            what the format needs.
        components: content of `model_index.json`, for DIFFUSERS.
        layout: is asked first, where a service has one.

    Raises:
        UnsafeModel: the weights are pickles only.
        RepositoryNotFound: a named file, or every file of the format, is missing.
        BadRequest: a file's name leads out of its folder.
    """
    for file in files:
        _check_name(file.name)
    by_name = {file.name: file for file in files}
    if layout is not None and (known := layout(by_name, named)) is not None:
        return _with_licence(known, files)
    if form is Format.GGUF:
        chosen = [_gguf(by_name, named)]
    elif named and not any(name.endswith("/") for name in named):
        chosen = [by_name[name] for name in _known(named, by_name)]
    elif form is Format.DIFFUSERS:
        chosen = _diffusers(files, components or {})
    else:
        chosen = _folder(files)
    if not any(file.is_weights for file in chosen):
        raise _no_weights(files, form)
    return _with_licence(chosen, files)


def _with_licence(chosen: Sequence[RepoFile], files: Sequence[RepoFile]) -> list[RepoFile]:
    return [*chosen, *(f for f in files if _LICENCE.fullmatch(f.name) and f not in chosen)]


def _gguf(by_name: Mapping[str, RepoFile], named: Sequence[str]) -> RepoFile:
    there = sorted(name for name in by_name if name.endswith(".gguf"))
    if not there:
        raise _no_weights(list(by_name.values()), Format.GGUF)
    if named:
        return by_name[_known(named, by_name)[0]]
    for quantization in PREFERRED_QUANTIZATIONS:
        for name in there:
            if quantization.lower() in name.lower():
                return by_name[name]
    if len(there) == 1:
        return by_name[there[0]]
    raise BadRequest(
        f"The repository has several GGUF files: {', '.join(there[:20])}. Name one as 'owner/name:file.gguf'.",
        param="id",
    )


def _folder(files: Sequence[RepoFile]) -> list[RepoFile]:
    """The top folder's files: one set of weights, configuration and tokenizer; and how embedders pool (`1_Pooling/`)."""
    top = [f for f in files if ("/" not in f.name and _useful(f)) or _MODULE.fullmatch(f.name)]
    return _one_variant(top)


def _diffusers(files: Sequence[RepoFile], components: Mapping[str, object]) -> list[RepoFile]:
    """The components that `model_index.json` names; the checker of contents is not run here and left out."""
    wanted = {
        name for name, what in components.items()
        if isinstance(what, list) and what and what[0] is not None and name != "safety_checker"
    }  # fmt: skip
    chosen = [f for f in files if f.name == "model_index.json"]
    for name in sorted(wanted):
        inside = [f for f in files if f.name.startswith(name + "/") and f.name.count("/") == 1 and _useful(f)]
        chosen += _half_precision(inside) or _one_variant(inside)
    return chosen


def _useful(file: RepoFile) -> bool:
    name = PurePosixPath(file.name).name
    return name.endswith((*WEIGHTS, *_BESIDE)) and name not in _NEVER


def _half_precision(files: Sequence[RepoFile]) -> list[RepoFile]:
    """Of a component whose weights are there in 16 bits too keep those: half to fetch, and models run in 16 bits anyway."""
    if not any(f.is_weights and ".fp16" in f.name for f in files):
        return []
    kept = [f for f in files if not f.is_weights or (".fp16" in f.name and ".non_ema" not in f.name)]
    return [f for f in kept if not f.name.endswith(".safetensors.index.json")]


def _one_variant(files: Sequence[RepoFile]) -> list[RepoFile]:
    """Of weights in several precisions (`model.fp16.safetensors`) keep those without a variant, if there are any."""
    plain = [f for f in files if f.is_weights and not _variant(f.name)]
    drop = {f.name for f in files if f.is_weights and _variant(f.name)} if plain else set()
    kept = [f for f in files if f.name not in drop]
    names = {f.name for f in kept}
    if any(n.endswith(".safetensors.index.json") for n in names):
        shards = [f for f in kept if re.search(r"-\d{5}-of-\d{5}\.safetensors$", f.name)]
        whole = {f.name for f in kept if f.is_weights and f not in shards}
        kept = [f for f in kept if f.name not in whole] if shards else kept
    return kept


def _variant(name: str) -> bool:
    stem = PurePosixPath(name).name.removesuffix(".safetensors")
    return any(f".{kind}" in stem for kind in ("fp16", "fp32", "bf16", "non_ema", "ema"))


def check_safe(named: Sequence[str]) -> None:
    """Raise UnsafeModel if a pickle is among the names."""
    unsafe = [name for name in named if name.endswith(_PICKLES)]
    if unsafe:
        raise UnsafeModel(
            f"'{unsafe[0][:100]}' is a pickle, which can run code when it is opened. "
            "Choose a repository with safetensors or GGUF.",
            found=unsafe[0],
            param="id",
        )


def _known(named: Sequence[str], by_name: Mapping[str, RepoFile]) -> list[str]:
    check_safe(named)
    missing = [name for name in named if name not in by_name]
    if missing:
        there = ", ".join(sorted(by_name)[:20])
        raise RepositoryNotFound(
            f"The repository has no file '{missing[0][:100]}'. It has: {there}.", param="id"
        )
    return list(named)


def _no_weights(files: Sequence[RepoFile], form: Format) -> RepositoryNotFound | UnsafeModel:
    pickles = sorted(f.name for f in files if f.name.endswith(_PICKLES))
    if pickles:
        return UnsafeModel(
            f"The repository's weights are pickles ({', '.join(pickles[:3])}), which can run code when they are "
            "opened. Choose a repository with safetensors or GGUF.",
            param="id",
        )
    kind = "GGUF file" if form is Format.GGUF else "safetensors file"
    return RepositoryNotFound(f"The repository has no {kind} for this service.", param="id")


def _check_name(name: str) -> None:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or "\x00" in name or len(name) > 300:
        raise BadRequest(
            "The repository has a file whose name leads out of its folder. It is refused.", param="id"
        )
