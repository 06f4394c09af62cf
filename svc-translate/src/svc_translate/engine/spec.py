"""Turns a transformers folder of Marian, M2M100 or NLLB into CTranslate2's format, without torch.

CTranslate2's own converter needs torch and transformers, 800 MB that the image of this service can do
without, holds the whole model in 32 bits, and fails on M2M100 with transformers 5, whose tokenizer no longer lists
its language tokens. The mapping follows `MarianMTLoader` and `M2M100Loader` of
`ctranslate2.converters.transformers` (4.8); tests check that the translations are those of transformers.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from svc_translate.engine.vocabulary import tokens_of
from svc_translate.engine.weights import Weights, opened

KINDS = ("marian", "m2m_100")
_FIRST_POSITION = 2
"""M2M100 counts positions from its padding token on."""


def convert(source: Path, target: Path) -> None:
    """Write `target` (model.bin, config.json, vocabulary) from the folder `source`; int8 weights.

    Raises:
        ValueError: the folder is none of `KINDS` with shared embeddings.
    """
    from ctranslate2.specs import common_spec, transformer_spec

    config = json.loads((source / "config.json").read_text(encoding="utf-8"))
    kind = config.get("model_type")
    if kind not in KINDS or not config.get("share_encoder_decoder_embeddings", True):
        raise ValueError(f"not one of {', '.join(KINDS)} with shared embeddings")
    activations = {
        "swish": common_spec.Activation.SWISH,
        "silu": common_spec.Activation.SWISH,
        "relu": common_spec.Activation.RELU,
        "gelu": common_spec.Activation.GELU,
    }
    spec = transformer_spec.TransformerSpec.from_config(
        (config["encoder_layers"], config["decoder_layers"]),
        config["encoder_attention_heads"],
        pre_norm=kind == "m2m_100",
        activation=activations[config["activation_function"]],
    )
    with opened(source) as weights:
        tokens = tokens_of(source, config, weights.rows(_embeddings(weights)))
        _fill(spec, weights, config, len(tokens))
    spec.config.bos_token, spec.config.eos_token, spec.config.unk_token = "<s>", "</s>", "<unk>"
    spec.config.decoder_start_token = "</s>"  # Marian decodes from a zero embedding: any will do
    spec.register_source_vocabulary(tokens)
    spec.register_target_vocabulary(tokens)
    spec.validate()
    spec.optimize()  # the same matrix in three places is kept once
    target.mkdir(parents=True)
    spec.save(str(target))


def _embeddings(weights: Weights) -> str:
    return weights.first_of(
        "model.shared.weight", "model.encoder.embed_tokens.weight", "model.decoder.embed_tokens.weight"
    )


def _fill(spec: Any, weights: Weights, config: dict[str, Any], vocabulary: int) -> None:
    marian = config["model_type"] == "marian"
    embeddings = weights.int8([_embeddings(weights)], vocabulary)
    positions = sinusoids(config["max_position_embeddings"], config["d_model"]) if marian else later_sinusoids(
        config["max_position_embeddings"], config["d_model"]
    )  # fmt: skip
    spec.decoder.start_from_zero_embedding = marian
    for side, part in (("encoder", spec.encoder), ("decoder", spec.decoder)):
        part.scale_embeddings = math.sqrt(config["d_model"]) if config.get("scale_embedding") else 1.0
        part.position_encodings.encodings = positions
        table = part.embeddings[0] if isinstance(part.embeddings, list) else part.embeddings
        table.weight, table.weight_scale = embeddings
        for i, layer in enumerate(part.layer):
            _layer(layer, weights, f"model.{side}.layers.{i}")
        if not marian:
            _norm(part.layer_norm, weights, f"model.{side}.layer_norm")
    projection = spec.decoder.projection
    tied = "lm_head.weight" not in weights
    projection.weight, projection.weight_scale = (
        embeddings if tied else weights.int8(["lm_head.weight"], vocabulary)
    )
    if "final_logits_bias" in weights:
        bias = weights.array("final_logits_bias")
        if bias.any():
            projection.bias = bias.reshape(-1)[:vocabulary]


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
    spec.weight, spec.weight_scale = weights.int8([f"{name}.weight" for name in names])
    spec.bias = np.concatenate([weights.array(f"{name}.bias") for name in names])


def _norm(spec: Any, weights: Weights, name: str) -> None:
    spec.gamma, spec.beta = weights.array(f"{name}.weight"), weights.array(f"{name}.bias")


def sinusoids(positions: int, width: int) -> np.ndarray:
    """Return Marian's position table (positions, width) float32: all sines, then all cosines."""
    half = width // 2 + width % 2
    rates = 10000.0 ** (2 * np.arange(half) / width)
    angles = np.arange(positions)[:, None] / rates[None, :]
    return np.concatenate([np.sin(angles), np.cos(angles[:, : width - half])], axis=1).astype(np.float32)


def later_sinusoids(positions: int, width: int) -> np.ndarray:
    """Return M2M100's position table (positions, width) float32: tensor2tensor's rates, counted from the third on."""
    half = width // 2
    rates = np.exp(np.arange(half) * -(math.log(10000.0) / (half - 1)))
    angles = (np.arange(positions) + _FIRST_POSITION)[:, None] * rates[None, :]
    table = np.concatenate([np.sin(angles), np.cos(angles)], axis=1).astype(np.float32)
    return np.pad(table, ((0, 0), (0, width % 2)))
