"""Every service's catalogue tells what people choose models by."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from servicekit.models import Catalogue, schema

ROOT = Path(__file__).parents[1]
FILES = sorted(ROOT.glob("svc-*/src/*/catalogue.yaml"))
GOOD = """
- id: a
  task: chat
  license: MIT
  languages: [pt-BR]
  parameters: 1
  quantization: null
  size_bytes: 1
  memory_bytes: 1
  publisher: somebody
  published: "2024-09"
  good_for: {pt-BR: "Conversa curta.", en: "A short talk."}
"""


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.parent.name)
def test_a_catalogue_keeps_to_the_schema_and_can_be_read(path: Path) -> None:
    entries = schema.check(path)
    assert [entry.id for entry in entries] == [entry.id for entry in Catalogue.from_yaml(path).entries]


def test_every_service_that_has_models_has_a_catalogue() -> None:
    assert {path.parent.name for path in FILES} >= {
        "svc_chat", "svc_image_gen", "svc_vision", "svc_translate", "svc_tts", "svc_rag"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("license: MIT", "license: CC-BY-NC-4.0"),
        ("license: MIT", "license: MIT\n  noncommercial: true"),
        ("  quantization: null\n", ""),
        ("2024-09", "last year"),
        (', en: "A short talk."', ""),
        ("publisher: somebody", "publisher: somebody\n  colour: red"),
        ("parameters: 1", "parameters: 1B"),
        ("license: MIT", "license: MIT\n  repo: a/b"),
    ],
)
def test_an_entry_that_tells_too_little_or_contradicts_itself_is_found(
    tmp_path: Path, old: str, new: str
) -> None:
    file = tmp_path / "catalogue.yaml"
    file.write_text(GOOD)
    assert schema.check(file)
    file.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(ValidationError):
        schema.check(file)
