"""Small decoders: networks of ten megabytes that turn latents into pictures many times faster than a model's own.

They are installed beside the models (their files stand in one folder each) and know the latents of one family.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from svc_image_gen.engine.pipeline_kind import Family
from svc_image_gen.errors import UnsupportedPipeline

TASK = "image-decoder"
CLASS = "AutoencoderTiny"
#: Nothing in a decoder's files tells whose latents it was trained on (the two configurations are the same): only
#: decoders that are known can be used.
FAMILIES: Mapping[str, Family] = {"madebyollin/taesd": "sd", "madebyollin/taesdxl": "sdxl"}


class Decoders:
    """The installed ones. Engines look here at each picture, so that one that arrives is used from the next on."""

    def __init__(self) -> None:
        self._folders: dict[Family, Path] = {}
        self._ids: dict[str, Family] = {}

    def add(self, model_id: str, repo: str, folder: Path) -> None:
        """Take a decoder in. Raises UnsupportedPipeline for an unknown one."""
        self._ids[model_id] = family = family_of(repo)
        self._folders[family] = folder

    def discard(self, model_id: str) -> None:
        """Let a decoder go."""
        self._folders.pop(self._ids.pop(model_id), None)

    def __contains__(self, model_id: object) -> bool:
        return model_id in self._ids

    def folder(self, family: Family | None) -> Path | None:
        """Find the folder of the decoder for a family of latents."""
        return None if family is None else self._folders.get(family)


def family_of(repo: str) -> Family:
    """Tell whose latents a decoder knows. Raises UnsupportedPipeline for an unknown one."""
    if repo not in FAMILIES:
        raise UnsupportedPipeline(
            f"'{repo[:100]}' is a small decoder of which nothing tells for which models it is. Known ones: "
            f"{', '.join(FAMILIES)}.",
            param="id",
        )
    return FAMILIES[repo]


def load_decoder(folder: Path, like: Any) -> Any:
    """Load a decoder to stand in for the decoder `like`, on its device and in its number format."""
    import torch
    from diffusers import AutoencoderTiny

    decoder = AutoencoderTiny.from_pretrained(folder, local_files_only=True, use_safetensors=True)
    return decoder.to(device=like.device, dtype=like.dtype, memory_format=torch.channels_last).eval()
