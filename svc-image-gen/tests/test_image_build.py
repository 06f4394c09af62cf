"""Settings decide which models are there; names that are not lead to the built-in one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from svc_image_gen.build import build_engines, service_models
from svc_image_gen.engine.pipeline_kind import SUPPORTED, read_kind
from svc_image_gen.engine.precision import choose_dtype
from svc_image_gen.settings import Settings

_CLASSES = {"unet": "UNet2DConditionModel", "vae": "AutoencoderKL"}
INDEX = json.dumps(
    {"_class_name": "StableDiffusionPipeline"}
    | {part: ["diffusers", _CLASSES.get(part, "X")] for part in SUPPORTED["StableDiffusionPipeline"]}
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "model_index.json").write_text(INDEX)
    (folder / "weights.safetensors").write_bytes(b"x" * 100)
    return folder


def test_the_documents_model_is_an_alias_while_it_is_not_installed(folder: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("STABLE_DIFFUSION_MODEL", "runwayml/stable-diffusion-v1-5")
    settings = Settings(model_path=folder)
    engines = build_engines(settings)
    models = service_models(settings, engines)
    assert list(engines) == ["pictures"]
    assert models.resolve("runwayml/stable-diffusion-v1-5").id == models.resolve(None).id == "pictures"


def test_a_folder_named_by_the_documents_setting_draws_by_default(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "model_index.json").write_text(INDEX)
    settings = Settings(model_path=folder, stable_diffusion_model=str(other))
    models = service_models(settings, build_engines(settings))
    assert models.default == "other" and models.resolve("pictures").size_bytes == 100


def test_the_documents_names_of_settings_work(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    for name, value in {
        "DEVICE": "cpu",
        "ENABLE_MEMORY_EFFICIENT_ATTENTION": "false",
        "ENABLE_VAE_SLICING": "false",
    }.items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert settings.device == "cpu"
    assert not settings.enable_vae_slicing and not settings.enable_memory_efficient_attention


def test_no_model_at_all_is_no_crash(tmp_path: Path) -> None:
    settings = Settings(model_path=tmp_path / "nothing")
    assert service_models(settings, build_engines(settings)).default is None


def test_a_model_recommends_its_own_steps(folder: Path) -> None:
    assert read_kind(folder).recommended.steps == 20
    (folder / "recommended.json").write_text(json.dumps({"steps": 4, "guidance_scale": 1.0, "more": 1}))
    told = read_kind(folder).recommended
    assert (told.steps, told.guidance_scale) == (4, 1.0)


@pytest.mark.model
def test_a_small_model_keeps_full_precision() -> None:
    import torch

    assert choose_dtype("auto", "cpu", 10_000_000) == torch.float32
    assert choose_dtype("bf16", "cpu", 10_000_000) == torch.bfloat16
