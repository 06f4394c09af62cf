"""What a model takes is told from headers and settings alone, near to what was measured with the real sizes."""

from __future__ import annotations

import dataclasses
import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from servicekit.hub import Needs
from servicekit.hub.choosing import Format, choose
from servicekit.hub.fake_hub import FakeHub
from servicekit.hub.repository import HubRepository
from svc_vision.engine.memory_need import memory_need

MIB = 2**20


def header(numbers: int, dtype: str) -> bytes:
    """Return a safetensors header for so many numbers, without them."""
    size = numbers * {"F32": 4, "F16": 2, "BF16": 2}[dtype]
    told = json.dumps({"w": {"dtype": dtype, "shape": [numbers], "data_offsets": [0, size]}}).encode()
    return struct.pack("<Q", len(told)) + told


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    with FakeHub({}) as running:
        yield running


def told(
    hub: FakeHub, architecture: str, numbers: int, dtype: str, settings: dict[str, Any], tiles: int = 1
) -> int:
    """Return the estimate for a repository of that size, in MiB."""
    names = {"F32": "float32", "F16": "float16", "BF16": "bfloat16"}
    size = numbers * (4 if dtype == "F32" else 2)
    hub.repositories["me/real"] = {
        "config.json": json.dumps({"architectures": [architecture], "dtype": names[dtype]}).encode(),
        "preprocessor_config.json": json.dumps(settings).encode(),
        "model.safetensors": header(numbers, dtype),
    }
    repository = HubRepository(hub.url)
    listing = repository.listing("me/real", None)
    files = choose(listing.files, Format.TRANSFORMERS)
    grown = tuple(dataclasses.replace(f, size=size) if f.is_weights else f for f in files)
    needed = memory_need("cpu", tiles)(Needs(repository, listing, grown))
    assert needed is not None
    return needed // MIB


@pytest.fixture
def computes_bf16(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "cpuinfo"
    file.write_text("avx512_bf16")
    monkeypatch.setattr("svc_vision.engine.precision._CPUINFO", file)
    return file


MEASURED = [
    ("Florence2ForConditionalGeneration", 231_414_784, "F16", {"size": {"height": 768, "width": 768}}, 1389),
    ("Idefics3ForConditionalGeneration", 256_484_928, "BF16", {"max_image_size": {"longest_edge": 512}}, 993),
    ("BlipForConditionalGeneration", 223_971_644, "F32", {"size": {"height": 384, "width": 384}}, 1548),
    ("VisionEncoderDecoderModel", 239_195_904, "F32", {"size": 224}, 1658),
    ("ViTForImageClassification", 86_567_656, "F32", {"size": {"height": 224, "width": 224}}, 909),
    ("RTDetrForObjectDetection", 20_174_608, "F32", {"size": {"height": 640, "width": 640}}, 755),
    ("RTDetrV2ForObjectDetection", 42_891_372, "F32", {"size": {"height": 640, "width": 640}}, 938),
]
"""Resident peaks in MiB, 2026-11-27: see docs/models.md."""


@pytest.mark.parametrize(("architecture", "numbers", "dtype", "settings", "measured"), MEASURED)
def test_what_is_told_is_near_what_was_measured(
    hub: FakeHub,
    computes_bf16: Path,
    architecture: str,
    numbers: int,
    dtype: str,
    settings: Any,
    measured: int,
) -> None:
    assert told(hub, architecture, numbers, dtype, settings) == pytest.approx(measured, rel=0.1)


def test_sixteen_bits_take_more_where_the_processor_does_not_compute_in_them(
    hub: FakeHub, computes_bf16: Path
) -> None:
    computes_bf16.write_text("avx2")
    for architecture, numbers, dtype, measured in (
        ("Florence2ForConditionalGeneration", 231_414_784, "F16", 1829),
        ("Idefics3ForConditionalGeneration", 256_484_928, "BF16", 1961),
    ):
        assert told(hub, architecture, numbers, dtype, {}) == pytest.approx(measured, rel=0.1)


def test_more_tiles_take_more(hub: FakeHub, computes_bf16: Path) -> None:
    one, four = (
        told(hub, "Idefics3ForConditionalGeneration", 256_484_928, "BF16", {}, tiles) for tiles in (1, 4)
    )
    assert one < four == pytest.approx(1170, rel=0.1)


@pytest.mark.parametrize("size", [{"height": 0, "width": 5}, {"longest_edge": "x"}, [], None, -3, 10**9])
def test_settings_that_say_nothing_stand_for_the_usual_size(hub: FakeHub, size: Any) -> None:
    usual = told(hub, "BlipForConditionalGeneration", 224_000_000, "F32", {})
    assert told(hub, "BlipForConditionalGeneration", 224_000_000, "F32", {"size": size}) == usual
