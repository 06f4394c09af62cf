"""BERT and its family (RoBERTa, XLM-R, CamemBERT) on NumPy alone: token ids in, hidden states out.

NumPy instead of PyTorch because this service then starts in half a second and holds little beside the weights; the
matrix products are the same BLAS calls. Knows nothing about texts and pooling.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import erf
from tokenizers import Encoding

from svc_rag.engine.base import Vectors
from svc_rag.engine.tensors import Tensors

KINDS = ("bert", "xlm-roberta", "roberta", "camembert")
"""`model_type` of what runs here."""
_BATCH_TOKENS = 2_048
"""Padded tokens in one forward pass; larger batches leave the processor's cache."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What `config.json` says of a network. `positions` is how many tokens a text may have."""

    kind: str
    width: int
    layers: int
    heads: int
    epsilon: float
    activation: str
    positions: int
    first_position: int

    @classmethod
    def read(cls, config: Mapping[str, Any]) -> Shape:
        """Read a configuration. Raises ValueError in words for whoever chose the model."""
        check_kind(config)
        kind = str(config["model_type"])
        activation = str(config.get("hidden_act", "gelu"))
        if activation not in _ACTIVATIONS:
            raise ValueError(f"uses the activation {activation[:40]}; {', '.join(_ACTIVATIONS)} run here")
        if config.get("position_embedding_type", "absolute") != "absolute" or config.get("is_decoder"):
            raise ValueError("is a decoder or has relative positions, which do not run here")
        try:
            width, heads = int(config["hidden_size"]), int(config["num_attention_heads"])
            # RoBERTa's own count of positions begins behind that of the padding.
            first = 0 if kind == "bert" else int(config.get("pad_token_id", 1)) + 1
            shape = cls(
                kind, width, int(config["num_hidden_layers"]), heads, float(config.get("layer_norm_eps", 1e-12)),
                activation, int(config["max_position_embeddings"]) - first, first,
            )  # fmt: skip
        except (KeyError, TypeError, ValueError) as exc:
            raise ValueError("has a config.json that lacks a size") from exc
        if heads < 1 or width < 1 or width % heads or shape.positions < 8:
            raise ValueError("has a config.json whose sizes do not fit each other")
        return shape


class OtherKind(ValueError):
    """A network of a kind that does not run here."""

    def __init__(self, kind: str):
        self.kind = kind[:40]
        super().__init__(f"is a {self.kind} model; {', '.join(KINDS)} run here")


def check_kind(config: Mapping[str, Any]) -> None:
    """Raise OtherKind unless networks of this kind run here."""
    kind = str(config.get("model_type"))
    if kind not in KINDS:
        raise OtherKind(kind)


class Bert:
    """A loaded network. Thread-safe; hidden states are (B, T, width) float32."""

    def __init__(self, tensors: Tensors, shape: Shape):
        self.width = shape.width
        self._epsilon = shape.epsilon
        # Of a multilingual network most numbers are here, and a text uses a few rows of them.
        self._words = tensors.mapped("embeddings.word_embeddings.weight")
        self._kinds = tensors["embeddings.token_type_embeddings.weight"]
        self._positions = tensors["embeddings.position_embeddings.weight"][shape.first_position :]
        self._norm = _norm(tensors, "embeddings.LayerNorm")
        self._layers = [_Layer(tensors, n, shape) for n in range(shape.layers)]

    def __call__(self, encodings: Sequence[Encoding]) -> tuple[Vectors, Vectors]:
        """Return (hidden states, mask (B, T) of 1 for a token and 0 for padding)."""
        length = max(map(len, encodings))
        ids = np.zeros((len(encodings), length), np.int64)
        kinds = np.zeros((len(encodings), length), np.int64)
        mask = np.zeros((len(encodings), length), np.float32)
        for row, encoding in enumerate(encodings):
            ids[row, : len(encoding)] = encoding.ids
            kinds[row, : len(encoding)] = encoding.type_ids
            mask[row, : len(encoding)] = 1.0
        kinds = np.minimum(kinds, len(self._kinds) - 1)
        embedded = self._words[ids] + self._positions[:length] + self._kinds[kinds]
        hidden = _layer_norm(embedded, self._norm, self._epsilon)
        penalty = (mask[:, None, None, :] - 1.0) * np.float32(1e9)
        for layer in self._layers:
            hidden = layer(hidden, penalty)
        return hidden, mask


class _Layer:
    """One transformer layer; hidden states are (B, T, width) float32."""

    def __init__(self, tensors: Tensors, n: int, shape: Shape):
        base = f"encoder.layer.{n}"
        parts = [linear(tensors, f"{base}.attention.self.{part}") for part in ("query", "key", "value")]
        self._qkv = (np.concatenate([p[0] for p in parts], axis=1), np.concatenate([p[1] for p in parts]))
        del parts
        self._out = linear(tensors, f"{base}.attention.output.dense")
        self._norm_out = _norm(tensors, f"{base}.attention.output.LayerNorm")
        self._up = linear(tensors, f"{base}.intermediate.dense")
        self._down = linear(tensors, f"{base}.output.dense")
        self._norm_down = _norm(tensors, f"{base}.output.LayerNorm")
        self._heads, self._epsilon = shape.heads, shape.epsilon
        self._act = _ACTIVATIONS[shape.activation]

    def __call__(self, hidden: Vectors, penalty: Vectors) -> Vectors:
        batch, length, width = hidden.shape
        flat = hidden.reshape(-1, width)
        qkv = (flat @ self._qkv[0] + self._qkv[1]).reshape(
            batch, length, 3, self._heads, width // self._heads
        )
        query, key, value = qkv.transpose(2, 0, 3, 1, 4)
        scores = query @ key.transpose(0, 1, 3, 2)
        scores *= np.float32((width // self._heads) ** -0.5)
        scores += penalty
        scores -= scores.max(axis=-1, keepdims=True)
        np.exp(scores, out=scores)
        scores /= scores.sum(axis=-1, keepdims=True)
        context = (scores @ value).transpose(0, 2, 1, 3).reshape(-1, width)
        attended = _layer_norm(context @ self._out[0] + self._out[1] + flat, self._norm_out, self._epsilon)
        up = self._act(attended @ self._up[0] + self._up[1])
        down = up @ self._down[0] + self._down[1] + attended
        normed = _layer_norm(down.astype(np.float32, copy=False), self._norm_down, self._epsilon)
        return normed.reshape(batch, length, width)


def batches(encodings: Sequence[Encoding]) -> list[list[int]]:
    """Return the indexes of `encodings` in batches of like lengths, rows × longest within _BATCH_TOKENS."""
    made: list[list[int]] = []
    # Equal lengths together, so that little is spent on padding.
    for index in sorted(range(len(encodings)), key=lambda index: len(encodings[index])):
        if not made or (len(made[-1]) + 1) * len(encodings[index]) > _BATCH_TOKENS:
            made.append([])
        made[-1].append(index)
    return made


def linear(tensors: Tensors, name: str) -> tuple[Vectors, Vectors]:
    """Return (weight (in, out), bias (out,)) of a dense layer."""
    return np.ascontiguousarray(tensors[f"{name}.weight"].T), tensors[f"{name}.bias"]


def _norm(tensors: Tensors, name: str) -> tuple[Vectors, Vectors]:
    return tensors[f"{name}.weight"], tensors[f"{name}.bias"]


def _layer_norm(x: Vectors, norm: tuple[Vectors, Vectors], epsilon: float) -> Vectors:
    centred = x - x.mean(axis=-1, keepdims=True)
    variance = np.einsum("...i,...i->...", centred, centred)[..., None] / np.float32(x.shape[-1])
    centred /= np.sqrt(variance + np.float32(epsilon))
    centred *= norm[0]
    centred += norm[1]
    return centred


def _gelu(x: Vectors) -> Vectors:
    x *= np.float32(0.5) * (np.float32(1.0) + erf(x * np.float32(2**-0.5)))
    return x


def _gelu_tanh(x: Vectors) -> Vectors:
    x *= np.float32(0.5) * (
        np.float32(1.0) + np.tanh(np.float32((2 / np.pi) ** 0.5) * (x + np.float32(0.044715) * x**3))
    )
    return x


def _relu(x: Vectors) -> Vectors:
    return np.maximum(x, np.float32(0.0), out=x)


_ACTIVATIONS: dict[str, Callable[[Vectors], Vectors]] = {
    "gelu": _gelu, "gelu_new": _gelu_tanh, "gelu_pytorch_tanh": _gelu_tanh, "relu": _relu,
}  # fmt: skip
