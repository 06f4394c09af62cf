"""Writes the parts of the drawing model as one StableDiffusionPipeline folder."""

import json
import os
import tempfile
from pathlib import Path

import torch
from safetensors.torch import save_file

INDEX = {
    "_class_name": "StableDiffusionPipeline",
    "_diffusers_version": "0.31.0",
    "feature_extractor": [None, None],
    "image_encoder": [None, None],
    "requires_safety_checker": False,
    "safety_checker": [None, None],
    "scheduler": ["diffusers", "DDIMScheduler"],
    "text_encoder": ["transformers", "CLIPTextModel"],
    "tokenizer": ["transformers", "CLIPTokenizer"],
    "unet": ["diffusers", "UNet2DConditionModel"],
    "vae": ["diffusers", "AutoencoderKL"],
}


def write_index(folder: Path) -> None:
    """Write the file that makes the folder a pipeline."""
    (folder / "model_index.json").write_text(json.dumps(INDEX, indent=2) + "\n")


def write_halves(state: dict[str, torch.Tensor], path: Path) -> None:
    """Write weights in half precision, in one move, so that a reader never sees half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    halves = {key: value.detach().half().contiguous() for key, value in state.items()}
    handle, partial = tempfile.mkstemp(dir=path.parent, suffix=".partial")
    os.close(handle)
    save_file(halves, partial, metadata={"format": "pt"})
    os.chmod(partial, 0o644)
    os.replace(partial, path)
