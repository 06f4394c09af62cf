"""An update that changes a built-in model and not its size: what the gateway keeps of the old one is told no more."""

from __future__ import annotations

import importlib
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

KEPT = ["svc_vision", "svc_translate", "svc_image_gen", "svc_tts", "svc_rag"]
WEIGHTS = (".safetensors", ".so")


@pytest.mark.parametrize("package", KEPT)
def test_the_weights_of_every_built_in_model_count(package: str) -> None:
    settings = importlib.import_module(f"{package}.settings").Settings()
    places = importlib.import_module(f"{package}.build").named_places(settings)
    assert any(file.suffix in WEIGHTS for place in places for file in (place, *place.rglob("*")))


@pytest.mark.parametrize(
    ("package", "setting", "weights"),
    [
        ("svc_vision", "models_dir", "captioner/model.safetensors"),
        ("svc_translate", "models_dir", "pt-en/model.safetensors"),
        ("svc_image_gen", "model_path", "unet/diffusion_pytorch_model.safetensors"),
    ],
)
def test_another_byte_in_a_built_in_model_is_another_edition(
    tmp_path: Path, package: str, setting: str, weights: str
) -> None:
    module, settings = importlib.import_module(f"{package}.app"), _settings(package)
    copy = tmp_path / "models"
    shutil.copytree(getattr(settings(), setting), copy)

    def edition() -> str:
        app = module.create_app(settings(data_dir=tmp_path / "data", auth="off", **{setting: copy}))
        return str(app.state.readiness.report()["models"])

    before, file = edition(), copy / weights
    assert edition() == before, "also after a restart"
    date_ns, told = file.stat().st_mtime_ns, bytearray(file.read_bytes())
    told[-1] ^= 1
    file.write_bytes(told)
    os.utime(file, ns=(date_ns, date_ns))
    assert edition() != before


def _settings(package: str) -> Any:
    return importlib.import_module(f"{package}.settings").Settings
