"""A vision model as it lies on disk: a transformers folder with safetensors weights.

Owns the file names. Knows nothing about how a model is run.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from svc_vision.engine.base import Task, VisionModel


@dataclass(frozen=True)
class ModelFolder:
    """One installed model."""

    id: str
    task: Task
    path: Path
    builtin: bool = False
    license: str | None = None
    also: tuple[Task, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether the files that loading needs are there; weights in other formats do not count."""
        weights = any(self.path.glob("*.safetensors"))
        return weights and (self.path / "config.json").is_file()

    def describe(self) -> VisionModel:
        size = sum(file.stat().st_size for file in self.path.glob("*") if file.is_file())
        return VisionModel(self.id, self.task, self.builtin, self.license, size, also=self.also)


def config_of(folder: Path) -> dict[str, Any]:
    """Return the `config.json` of a folder, `{}` where there is none that can be read."""
    try:
        found = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
