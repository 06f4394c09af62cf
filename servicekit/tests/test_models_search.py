"""A catalogue is searched by what people choose models by, and tells what no engine runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from servicekit.errors import BadRequest
from servicekit.hub.running import judge
from servicekit.models import Catalogue, CatalogueEntry, CatalogueQuery, Machine
from servicekit.models.obstacle import DoesNotRun

MACHINE = Machine(memory_bytes=8 * 2**30, free_disk_bytes=8 * 2**30)
ENTRIES = (
    CatalogueEntry(
        "small", "chat", repo="a/small", license="MIT", languages=("pt-BR", "en"), parameters=10, quantization="Q4_K_M",
        size_bytes=100, memory_bytes=200, publisher="Casa", published="2024-09", config={"model_type": "known"},
        good_for={"pt-BR": "Conversa curta.", "en": "A short talk."},
    ),
    CatalogueEntry(
        "free-not", "caption", repo="b/nc", license="CC-BY-NC-4.0", noncommercial=True, languages=("fr",),
        publisher="Maison", published="2023", config={"model_type": "strange"},
    ),
    CatalogueEntry(
        "huge", "chat", repo="a/huge", files=("model.bin",), license="Apache-2.0", memory_bytes=2**50, size_bytes=2**50,
        parameters=10**12, publisher="Casa", published="2025-01",
    ),
    CatalogueEntry("own", "chat", license="MIT", builtin=True),
)  # fmt: skip


def runs(config: Mapping[str, Any], name: str) -> None:
    if config.get("model_type") == "strange":
        raise DoesNotRun(
            f"'{name}' does not run here.", of="kind", found=config["model_type"], runs=("known", "other")
        )
    if config.get("model_type") != "known":
        raise BadRequest(f"'{name}' is odd.")


def rows(wanted: CatalogueQuery | None = None) -> list[dict[str, Any]]:
    told = Catalogue(ENTRIES, judge(runs)).as_dict(MACHINE, "svc-x")["data"]
    return told if wanted is None else wanted.keep(told)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, ["small", "free-not", "huge", "own"]),
        ({"q": "CONVERSA small"}, ["small"]),
        ({"q": "conversa huge"}, []),
        ({"task": "caption"}, ["free-not"]),
        ({"task": "caption,chat"}, ["small", "free-not", "huge", "own"]),
        ({"language": "pt"}, ["small"]),
        ({"language": "fr-CA"}, ["free-not"]),
        ({"license": "mit"}, ["small", "own"]),
        ({"commercial": "true"}, ["small", "huge", "own"]),
        ({"commercial": "false"}, ["free-not"]),
        ({"quantization": "q4_k_m"}, ["small"]),
        ({"publisher": "Casa", "max_size_bytes": "100"}, ["small"]),
        ({"max_memory_bytes": "199"}, []),
        ({"max_parameters": "10"}, ["small"]),
        ({"published_since": "2024"}, ["small", "huge"]),
        ({"published_since": "2024-10"}, ["huge"]),
        ({"fits": "false"}, ["huge"]),
        ({"runnable": "true"}, ["small", "own"]),
        ({"builtin": "true"}, ["own"]),
    ],
)
def test_each_parameter_keeps_the_entries_that_are_so(asked: dict[str, str], found: list[str]) -> None:
    assert [row["id"] for row in rows(CatalogueQuery.read(asked))] == found


@pytest.mark.parametrize("asked", [{"colour": "red"}, {"max_size_bytes": "much"}, {"published_since": "old"}])
def test_a_parameter_that_does_not_exist_or_makes_no_sense_is_named(asked: dict[str, str]) -> None:
    with pytest.raises(BadRequest, match=next(iter(asked))) as refused:
        CatalogueQuery.read(asked)
    assert refused.value.param == next(iter(asked))


def test_what_no_engine_runs_and_what_is_a_pickle_say_so() -> None:
    told = {row["id"]: row for row in rows()}
    assert told["free-not"]["runnable"] is False and "does not run here" in told["free-not"]["why_not"]
    assert told["huge"]["runnable"] is False and "pickle" in told["huge"]["why_not"]
    assert told["small"]["runnable"] is True and told["small"]["why_not"] is None


def test_why_nothing_runs_a_model_is_told_as_data_too() -> None:
    told = {row["id"]: row["obstacle"] for row in rows()}
    assert told["free-not"] == {"of": "kind", "found": "strange", "runs": ["known", "other"]}
    assert told["huge"] == {"of": "pickle", "found": "model.bin", "runs": []}
    assert told["small"] is None and told["own"] is None
    odd = judge(runs)(CatalogueEntry("x", "chat", repo="a/x", config={"model_type": "odd"}))
    assert odd is not None and odd.as_dict() == {"of": "other", "found": None, "runs": []}
    packaged = judge(runs)(CatalogueEntry("x", "chat"))
    assert packaged is not None and packaged.of == "not_on_a_hub"


def test_what_a_model_says_of_itself_is_told_in_few_words() -> None:
    assert len(DoesNotRun("No.", of="kind", found="x" * 10_000).obstacle.as_dict()["found"]) == 100


def test_a_service_that_installs_nothing_runs_only_what_is_built_in() -> None:
    told = Catalogue(ENTRIES).as_dict(MACHINE, "svc-x")["data"]
    assert [row["id"] for row in told if row["runnable"]] == ["own"]


def test_an_entry_without_a_configuration_is_left_to_the_plan() -> None:
    assert judge(runs)(CatalogueEntry("x", "chat", repo="a/x")) is None
    assert judge(runs)(CatalogueEntry("x", "chat")) is not None
