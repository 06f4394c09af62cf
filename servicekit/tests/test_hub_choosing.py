"""Of a repository's files those are fetched that the format needs, and nothing that can run code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from servicekit.errors import BadRequest, ServiceError
from servicekit.hub.choosing import Format, RepoFile, choose
from servicekit.hub.errors import RepositoryNotFound, UnsafeModel


def files(*names: str) -> list[RepoFile]:
    return [RepoFile(name, 10) for name in names]


def chosen(form: Format, *names: str, **options: object) -> list[str]:
    return sorted(file.name for file in choose(files(*names), form, **options))  # type: ignore[arg-type]


def test_a_folder_of_transformers_is_taken_without_pickles_and_other_frameworks() -> None:
    there = (
        "config.json", "model.safetensors", "pytorch_model.bin", "tf_model.h5", "flax_model.msgpack", "source.spm",
        "vocab.json", "onnx/model.onnx", "README.md", ".gitattributes", "original/consolidated.pth",
    )  # fmt: skip
    assert chosen(Format.TRANSFORMERS, *there) == [
        "README.md",
        "config.json",
        "model.safetensors",
        "source.spm",
        "vocab.json",
    ]


def test_an_embedder_s_way_of_pooling_is_fetched_with_it() -> None:
    there = (
        "1_Pooling/config.json", "2_Dense/config.json", "2_Dense/model.safetensors", "config.json", "model.safetensors",
        "modules.json", "openvino/config.json",
    )  # fmt: skip
    assert chosen(Format.TRANSFORMERS, *there) == [
        "1_Pooling/config.json", "2_Dense/config.json", "config.json", "model.safetensors", "modules.json",
    ]  # fmt: skip


def test_weights_in_several_precisions_are_fetched_once() -> None:
    there = ("config.json", "model.safetensors", "model.fp16.safetensors", "model.non_ema.safetensors")
    assert chosen(Format.TRANSFORMERS, *there) == ["config.json", "model.safetensors"]
    assert chosen(Format.TRANSFORMERS, "model.fp16.safetensors") == ["model.fp16.safetensors"]


def test_shards_are_fetched_with_their_index_and_without_a_second_whole() -> None:
    shards = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    there = (*shards, "model.safetensors.index.json", "consolidated.safetensors")
    assert chosen(Format.TRANSFORMERS, *there) == sorted([*shards, "model.safetensors.index.json"])


def test_a_pipeline_is_fetched_by_its_components_without_the_single_file_and_the_checker() -> None:
    there = (
        "model_index.json", "v1-5-pruned.safetensors", "unet/config.json", "unet/diffusion_pytorch_model.safetensors",
        "unet/diffusion_pytorch_model.fp16.safetensors", "unet/diffusion_pytorch_model.bin", "vae/config.json",
        "vae/diffusion_pytorch_model.safetensors", "safety_checker/model.safetensors", "scheduler/scheduler_config.json",
        "samples/a.json",
    )  # fmt: skip
    parts = {
        "_class_name": "StableDiffusionPipeline", "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"], "safety_checker": ["x", "y"], "scheduler": ["diffusers", "DDIMScheduler"],
        "feature_extractor": [None, None],
    }  # fmt: skip
    assert chosen(Format.DIFFUSERS, *there, components=parts) == [
        "model_index.json", "scheduler/scheduler_config.json", "unet/config.json",
        "unet/diffusion_pytorch_model.fp16.safetensors", "vae/config.json", "vae/diffusion_pytorch_model.safetensors",
    ]  # fmt: skip


def test_a_catalogue_that_names_a_pipelines_folders_gets_its_components() -> None:
    there = ("model_index.json", "unet/config.json", "unet/model.safetensors", "notes/model.safetensors")
    parts = {"_class_name": "StableDiffusionPipeline", "unet": ["diffusers", "UNet2DConditionModel"]}
    named = ("model_index.json", "unet/")
    assert chosen(Format.DIFFUSERS, *there, components=parts, named=named) == list(there[:3])


def test_of_several_gguf_files_a_small_good_one_is_taken_unless_one_is_named() -> None:
    there = ("a-Q8_0.gguf", "a-Q4_K_M.gguf", "a-F16.gguf")
    assert chosen(Format.GGUF, *there) == ["a-Q4_K_M.gguf"]
    assert chosen(Format.GGUF, *there, named=("a-F16.gguf",)) == ["a-F16.gguf"]
    with pytest.raises(BadRequest, match="several GGUF files"):
        choose(files("x-IQ1.gguf", "y-IQ1.gguf"), Format.GGUF)


@pytest.mark.parametrize(
    ("names", "options", "error"),
    [
        (("config.json", "pytorch_model.bin"), {}, UnsafeModel),
        (("model.ckpt",), {"named": ("model.ckpt",)}, UnsafeModel),
        (("config.json",), {}, RepositoryNotFound),
        (("config.json", "model.safetensors"), {"named": ("other.safetensors",)}, RepositoryNotFound),
        (("../evil.safetensors",), {}, BadRequest),
        (("/etc/passwd.safetensors",), {}, BadRequest),
        (("a\\..\\b.safetensors",), {}, BadRequest),
    ],
)
def test_a_repository_without_safe_weights_is_refused(
    names: tuple[str, ...], options: dict[str, object], error: type[ServiceError]
) -> None:
    with pytest.raises(error):
        choose(files(*names), Format.TRANSFORMERS, **options)  # type: ignore[arg-type]


def ready_made(there: Mapping[str, RepoFile], named: Sequence[str]) -> list[RepoFile] | None:
    return [there["model.bin"]] if "shared_vocabulary.json" in there else None


def test_a_services_own_layout_is_asked_first_and_the_licence_comes_along() -> None:
    there = ("model.bin", "shared_vocabulary.json", "run.py", "LICENSE")
    assert chosen(Format.TRANSFORMERS, *there, layout=ready_made) == ["LICENSE", "model.bin"]


def test_what_is_not_of_that_layout_goes_by_the_rules_of_the_format() -> None:
    assert chosen(Format.TRANSFORMERS, "config.json", "model.safetensors", layout=ready_made) == [
        "config.json",
        "model.safetensors",
    ]
    with pytest.raises(UnsafeModel):
        chosen(Format.TRANSFORMERS, "config.json", "model.bin", layout=ready_made)
    with pytest.raises(BadRequest, match="out of its folder"):
        chosen(Format.TRANSFORMERS, "model.bin", "shared_vocabulary.json", "../evil", layout=ready_made)
