"""Whatever goes wrong in a service is said on the page in the reader's language."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from servicekit.models.obstacle import REASONS

ROOT = Path(__file__).resolve().parents[1]
UNSEEN = {"client_left"}
"""Told to nobody: who asked has gone."""


def codes() -> set[str]:
    """Return the codes that errors of the services have: those of classes, and those given by name."""
    sources = [path for path in ROOT.glob("*/src/**/*.py") if "miniatures" not in path.parts]
    return {code for path in sources for code in codes_in(ast.parse(path.read_text(encoding="utf-8")))}


def codes_in(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            for line in node.body:
                if isinstance(line, ast.Assign):
                    yield from assigned(line.targets[0], line.value)
                elif isinstance(line, ast.AnnAssign) and line.value is not None:
                    yield from assigned(line.target, line.value)
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "_failed":
            yield from (text(one) for one in node.args[1:2] if isinstance(one, ast.Constant))
        elif isinstance(node, ast.Dict):
            named = zip(node.keys, node.values, strict=True)
            yield from (text(value) for key, value in named if key is not None and text(key) == "code")


def assigned(target: ast.expr, value: ast.expr) -> Iterator[str]:
    pairs = (
        zip(target.elts, getattr(value, "elts", ()), strict=False)
        if isinstance(target, ast.Tuple)
        else [(target, value)]
    )
    yield from (text(given) for name, given in pairs if getattr(name, "id", "") == "code")


def text(node: ast.expr) -> str:
    return str(node.value) if isinstance(node, ast.Constant) else ""


@pytest.mark.parametrize("language", ["pt-BR", "en"])
def test_every_error_of_a_service_has_a_sentence_on_the_page(language: str) -> None:
    dictionary = (ROOT / f"frontend/src/shared/i18n/{language}.ts").read_text(encoding="utf-8")
    known = set(re.findall(r"\b(\w+): \"", dictionary.partition("\n  errors: {")[2]))
    raised = {code for code in codes() if re.fullmatch(r"[a-z]+(_[a-z]+)+", code)} - UNSEEN
    assert len(raised) > 80, "the services' errors are found"
    assert raised - known == set()


@pytest.mark.parametrize("language", ["pt-BR", "en"])
def test_every_reason_why_a_model_does_not_run_has_a_sentence_on_the_page(language: str) -> None:
    dictionary = (ROOT / f"frontend/src/shared/i18n/{language}.ts").read_text(encoding="utf-8")
    told = dictionary.partition("\n    obstacle: {")[2].partition("\n    },")[0]
    assert set(re.findall(r"\b(\w+): \"", told)) == set(REASONS) - {"other"}


@pytest.mark.parametrize("language", ["pt-BR", "en"])
def test_every_kind_of_job_has_a_name_on_the_page(language: str) -> None:
    sources = "\n".join(path.read_text(encoding="utf-8") for path in ROOT.glob("*/src/**/*.py"))
    kinds = set(re.findall(r"^(?:KIND|INGEST|REINDEX) = \"([\w.]+)\"", sources, re.MULTILINE))
    assert kinds == {"image", "ingest", "reindex", "model.install"}
    dictionary = (ROOT / f"frontend/src/shared/i18n/{language}.ts").read_text(encoding="utf-8")
    named = re.search(r"\n    kind: \{(.*?)\}", dictionary)
    assert named is not None
    assert kinds <= set(re.findall(r"\"?([\w.]+)\"?: \"", named.group(1)))
