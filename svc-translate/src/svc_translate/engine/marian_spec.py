"""Reads a transformers Marian folder straight into CTranslate2's specification, without torch.

CTranslate2's own converter needs torch and transformers, 800 MB that the image of this service can do
without. The mapping follows `ctranslate2.converters.transformers.MarianMTLoader` (4.8); a test checks
that both give the same translations.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

Weights = dict[str, np.ndarray]


def convert(source: Path, target: Path) -> None:
    """Write `target` (model.bin, config.json, vocabulary) from the folder `source`; int8 weights.

    Raises:
        ValueError: the folder is not a MarianMTModel that shares its embeddings.
    """
    from ctranslate2.specs import common_spec, transformer_spec
    from safetensors.numpy import load_file

    config = json.loads((source / "config.json").read_text(encoding="utf-8"))
    if config.get("model_type") != "marian" or not config.get("share_encoder_decoder_embeddings", True):
        raise ValueError("not a Marian model with shared embeddings")
    activations = {
        "swish": common_spec.Activation.SWISH,
        "silu": common_spec.Activation.SWISH,
        "relu": common_spec.Activation.RELU,
        "gelu": common_spec.Activation.GELU,
    }
    spec = transformer_spec.TransformerSpec.from_config(
        (config["encoder_layers"], config["decoder_layers"]),
        config["encoder_attention_heads"],
        pre_norm=False,
        activation=activations[config["activation_function"]],
    )
    tokens = _tokens(source)
    _fill(spec, load_file(str(source / "model.safetensors")), config, len(tokens))
    spec.config.eos_token, spec.config.unk_token = "</s>", "<unk>"
    spec.config.decoder_start_token = "</s>"  # any will do: decoding starts from a zero embedding
    spec.register_source_vocabulary(tokens)
    spec.register_target_vocabulary(tokens)
    spec.validate()
    spec.optimize(quantization="int8")
    target.mkdir(parents=True)
    spec.save(str(target))


def _tokens(source: Path) -> list[str]:
    """Return the vocabulary without the padding word at its end, which only training needs."""
    vocabulary = json.loads((source / "vocab.json").read_text(encoding="utf-8"))
    tokens = sorted(vocabulary, key=vocabulary.__getitem__)
    return tokens[:-1] if tokens[-1] == "<pad>" else tokens


def _fill(spec: Any, weights: Weights, config: dict[str, Any], vocabulary: int) -> None:
    weights = {name: value.astype(np.float32) for name, value in weights.items()}
    embeddings = weights["model.shared.weight"][:vocabulary]  # (V, D)
    positions = sinusoids(config["max_position_embeddings"], config["d_model"])
    spec.decoder.start_from_zero_embedding = True
    for side, part in (("encoder", spec.encoder), ("decoder", spec.decoder)):
        part.scale_embeddings = math.sqrt(config["d_model"]) if config.get("scale_embedding") else 1.0
        part.position_encodings.encodings = positions
        table = part.embeddings[0] if isinstance(part.embeddings, list) else part.embeddings
        table.weight = embeddings
        for i, layer in enumerate(part.layer):
            _layer(layer, weights, f"model.{side}.layers.{i}")
    spec.decoder.projection.weight = weights.get("lm_head.weight", weights["model.shared.weight"])[
        :vocabulary
    ]
    bias = weights.get("final_logits_bias")
    if bias is not None and bias.any():
        spec.decoder.projection.bias = bias.reshape(-1)[:vocabulary]


def _layer(layer: Any, weights: Weights, name: str) -> None:
    _attention(layer.self_attention, weights, f"{name}.self_attn", fused=True)
    _norm(layer.self_attention.layer_norm, weights, f"{name}.self_attn_layer_norm")
    if f"{name}.encoder_attn.q_proj.weight" in weights:
        _attention(layer.attention, weights, f"{name}.encoder_attn", fused=False)
        _norm(layer.attention.layer_norm, weights, f"{name}.encoder_attn_layer_norm")
    _linear(layer.ffn.linear_0, weights, [f"{name}.fc1"])
    _linear(layer.ffn.linear_1, weights, [f"{name}.fc2"])
    _norm(layer.ffn.layer_norm, weights, f"{name}.final_layer_norm")


def _attention(spec: Any, weights: Weights, name: str, *, fused: bool) -> None:
    """Self-attention keeps query, key and value in one matrix; attention to the source, key and value."""
    query, key, value = (f"{name}.{part}_proj" for part in "qkv")
    groups = [[query, key, value]] if fused else [[query], [key, value]]
    for linear, names in zip(spec.linear, [*groups, [f"{name}.out_proj"]], strict=True):
        _linear(linear, weights, names)


def _linear(spec: Any, weights: Weights, names: list[str]) -> None:
    spec.weight = np.concatenate([weights[f"{name}.weight"] for name in names])
    spec.bias = np.concatenate([weights[f"{name}.bias"] for name in names])


def _norm(spec: Any, weights: Weights, name: str) -> None:
    spec.gamma, spec.beta = weights[f"{name}.weight"], weights[f"{name}.bias"]


def sinusoids(positions: int, width: int) -> np.ndarray:
    """Return Marian's position table (positions, width) float32: all sines, then all cosines."""
    half = width // 2 + width % 2
    rates = 10000.0 ** (2 * np.arange(half) / width)
    angles = np.arange(positions)[:, None] / rates[None, :]
    return np.concatenate([np.sin(angles), np.cos(angles[:, : width - half])], axis=1).astype(np.float32)
