"""The two READMEs tell the same, and what they name is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
NAMES = ("README.md", "README.pt-BR.md")
TOLD = {
    "calls": r"curl (?:-N )?localhost:8001(/\S+)",
    "commands": r"make ([a-z-]+)",
    "settings": r"\b[A-Z]{2,}(?:_[A-Z]+)+\b",
    "places": r"^(?:  )?([a-z_/-]+(?:/|\.py))  +\S",
    "pages": r"\((docs/[\w./-]+\.md(?:#[\w-]+)?)\)",
}


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("what", TOLD)
def test_both_languages_tell_of_the_same(what: str) -> None:
    english, portuguese = (sorted(re.findall(TOLD[what], text(name), re.MULTILINE)) for name in NAMES)
    assert english
    assert set(english) == set(portuguese)


def test_they_have_as_many_sections() -> None:
    assert len({len(re.findall(r"^## ", text(name), re.MULTILINE)) for name in NAMES}) == 1


@pytest.mark.parametrize("name", NAMES)
def test_every_command_and_page_that_is_named_is_there(name: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", text("Makefile"), re.MULTILINE))
    assert set(re.findall(TOLD["commands"], text(name))) <= targets
    for link in re.findall(r"\((docs/[\w./#-]+|[\w.-]+\.md)\)", text(name)):
        page, _, place = link.partition("#")
        assert (ROOT / page).is_file(), link
        headings = re.findall(r"^#+ (.+)$", text(page), re.MULTILINE)
        slugs = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
        assert not place or place in slugs, link
