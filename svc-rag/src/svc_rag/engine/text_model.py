"""What a repository of an embedder or reranker says about itself: task, shape, pooling, prefixes, length.

Reads `config.json` and, where they are there, sentence-transformers' `modules.json`, `1_Pooling/config.json`,
`sentence_bert_config.json` and `config_sentence_transformers.json`. Runs nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from svc_rag.engine.base import Space, TextRole
from svc_rag.engine.bert import Shape, check_kind

Pooling = Literal["mean", "cls"]
ModelTask = Literal["embedding", "rerank"]
ReadJson = Callable[[str], Any]
"""Returns the content of a JSON file by its name, None where there is none."""
MOST_TOKENS = 512
"""Tokens read of a text: chunks are shorter, and longer texts are embedded piece by piece."""
_KNOWN_MODULES = frozenset({"Transformer", "Pooling", "Normalize"})
_BY_NAME: tuple[tuple[re.Pattern[str], str, str], ...] = (
    (re.compile(r"(?:^|[/-])e5-(?:small|base|large)(?:-v2|-unsupervised)?$"), "query: ", "passage: "),
    (
        re.compile(r"bge-(?:small|base|large)-en(?:-v1\.5)?$"),
        "Represent this sentence for searching relevant passages: ",
        "",
    ),
)
"""Families whose cards name prefixes that no file of theirs tells."""


class SeveralClasses(ValueError):
    """A network that sorts texts and is no reranker."""


@dataclass(frozen=True, slots=True)
class TextModel:
    """A model on disk that `text_encoder` or `cross_encoder` runs."""

    id: str
    path: Path
    task: ModelTask
    shape: Shape
    pooling: Pooling = "mean"
    max_tokens: int = MOST_TOKENS
    prefixes: Mapping[TextRole, str] = field(default_factory=dict)

    @property
    def space(self) -> Space:
        """The space of its vectors."""
        return Space(self.id, self.shape.width)


def read_model(model_id: str, repo: str, path: Path, read: ReadJson) -> TextModel:
    """Read what a model is. Raises ValueError, in words that go on from the model's name."""
    config = read("config.json")
    if not isinstance(config, dict):
        raise ValueError("has no config.json")
    shape = Shape.read(config)
    if task_of(config) == "rerank":
        return TextModel(model_id, path, "rerank", shape, max_tokens=min(MOST_TOKENS, shape.positions))
    _check_modules(read("modules.json"))
    told = read("sentence_bert_config.json")
    told_tokens = told.get("max_seq_length") if isinstance(told, dict) else None
    tokens = told_tokens if isinstance(told_tokens, int) and told_tokens >= 8 else MOST_TOKENS
    return TextModel(
        model_id, path, "embedding", shape, _pooling(read("1_Pooling/config.json")),
        min(tokens, MOST_TOKENS, shape.positions), _prefixes(read("config_sentence_transformers.json"), repo),
    )  # fmt: skip


def task_of(config: Mapping[str, Any]) -> ModelTask:
    """Read what a model does, from a `config.json` or the part of one that a catalogue tells. Raises ValueError."""
    check_kind(config)
    names = config.get("architectures")
    names = [str(name) for name in names] if isinstance(names, list) else []
    if not any(name.endswith("ForSequenceClassification") for name in names):
        return "embedding"
    if len(config.get("id2label") or {0: ""}) != 1:
        raise SeveralClasses("sorts texts into several classes, and a reranker gives one score")
    return "rerank"


def on_disk(path: Path) -> ReadJson:
    """Return a reader of a folder's files."""

    def read(name: str) -> Any:
        try:
            return json.loads((path / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    return read


def _check_modules(modules: Any) -> None:
    steps = modules if isinstance(modules, list) else []
    kinds = [str(step.get("type", "")).rpartition(".")[2] for step in steps if isinstance(step, dict)]
    unknown = [kind for kind in kinds if kind not in _KNOWN_MODULES]
    if unknown:
        raise ValueError(f"has a step {unknown[0][:40]} after its network, which does not run here")


def _pooling(config: Any) -> Pooling:
    if not isinstance(config, dict):
        return "mean"
    if isinstance(named := config.get("pooling_mode"), str):
        chosen = [named]
    else:
        chosen = [
            key.removeprefix("pooling_mode_").removesuffix("_tokens").removesuffix("_token")
            for key, on in config.items()
            if key.startswith("pooling_mode_") and on is True
        ]
    if chosen == ["cls"]:
        return "cls"
    if chosen == ["mean"]:
        return "mean"
    raise ValueError(f"pools its tokens by {' and '.join(chosen)[:60] or 'nothing'}; mean and cls run here")


def _prefixes(config: Any, repo: str) -> dict[TextRole, str]:
    prompts = config.get("prompts") if isinstance(config, dict) else None
    if isinstance(prompts, dict) and any(isinstance(text, str) and text for text in prompts.values()):
        query, passage = prompts.get("query"), prompts.get("document", prompts.get("passage"))
        return {"query": str(query or ""), "passage": str(passage or "")}
    for pattern, query, passage in _BY_NAME:
        if pattern.search(repo.lower()):
            return {"query": query, "passage": passage}
    return {}
