"""What an entry of a `catalogue.yaml` must tell: the schema that a test holds all catalogues against.

A service starts with an entry that tells less (`catalogue.Catalogue` reads it); nobody should commit one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator

Sentence = Annotated[str, Field(min_length=10, max_length=160, pattern=r"\.$")]
Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Z]{2})?$")]
_NONCOMMERCIAL = ("-NC", "NONCOMMERCIAL", "NON-COMMERCIAL", "STABILITY-AI-COMMUNITY")
"""Parts of the names of licences that restrict commercial use (Stability AI's by income)."""


class GoodFor(BaseModel):
    """What the model is good for, in both languages of the page."""

    model_config = ConfigDict(extra="forbid")

    pt: Sentence = Field(alias="pt-BR")
    en: Sentence


class Entry(BaseModel):
    """One entry; fields that may be `null` still have to be written, so that leaving them out is a decision."""

    model_config = ConfigDict(extra="forbid", strict=True)

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][\w.:-]{0,95}$")]
    task: Annotated[str, Field(pattern=r"^[a-z]+(-[a-z]+)*$")]
    license: Annotated[str, Field(min_length=2, max_length=60)]
    noncommercial: bool = False
    languages: list[Language]
    parameters: Annotated[int, Field(gt=0)] | None
    quantization: str | None
    size_bytes: Annotated[int, Field(gt=0)] | None
    memory_bytes: Annotated[int, Field(gt=0)] | None
    publisher: Annotated[str, Field(min_length=2)]
    published: Annotated[str, Field(pattern=r"^20\d{2}(-(0[1-9]|1[0-2]))?$")]
    good_for: GoodFor
    builtin: bool = False
    also: list[Annotated[str, Field(pattern=r"^[a-z]+(-[a-z]+)*$")]] = []
    repo: Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+$")] | None = None
    revision: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")] | None = None
    files: list[str] = []
    config: dict[str, Any] = {}

    @model_validator(mode="after")
    def _hangs_together(self) -> Entry:
        restricted = any(part in self.license.upper() for part in _NONCOMMERCIAL)
        if restricted != self.noncommercial:
            raise ValueError(f"noncommercial is {self.noncommercial} and the licence {self.license}")
        gguf = any(name.endswith(".gguf") for name in self.files)
        in_browser = self.task.startswith(
            "browser-"
        )  # it takes no memory here, and no engine of ours runs it
        if self.repo and not self.builtin and not in_browser:
            if not gguf and not self.config:
                raise ValueError(
                    "an entry of a repository tells in `config` what its config.json says of model_type and "
                    "architectures (model_index.json: _class_name): by it engines tell whether they run it"
                )
            if self.size_bytes is None or self.memory_bytes is None or self.parameters is None:
                raise ValueError("an entry of a repository tells size_bytes, memory_bytes and parameters")
        return self


def check(path: Path) -> list[Entry]:
    """Read a catalogue and hold it against the schema. Raises pydantic's ValidationError."""
    return TypeAdapter(list[Entry]).validate_python(yaml.safe_load(path.read_text(encoding="utf-8")))
