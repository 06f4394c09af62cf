"""all-MiniLM-L6-v2 (a BERT of six layers, 384 wide) on NumPy alone.

Reads the published safetensors and tokenizer from a folder. NumPy instead of PyTorch because this
service then starts in half a second and stays far below 512 MiB; the matrix products are the same
BLAS calls. Knows nothing about documents.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file
from scipy.special import erf
from threadpoolctl import threadpool_limits
from tokenizers import Encoding, Tokenizer

from svc_rag.engine.base import Vectors

_BATCH_TOKENS = 2_048
"""Padded tokens in one forward pass; larger batches leave the processor's cache."""


class MiniLm:
    """Embedder: mean-pooled, normalised sentence vectors; texts longer than max_tokens are cut."""

    model_id = "all-MiniLM-L6-v2"

    def __init__(self, folder: Path, threads: int = 1, max_tokens: int = 256):
        # For the whole process, once: changing it around each call is neither cheap nor thread-safe.
        # One thread, because beside other load two spinning ones took 30 times longer (measured 2026-11).
        threadpool_limits(threads, user_api="blas")
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        self.dimension = int(config["hidden_size"])
        self._heads = int(config["num_attention_heads"])
        self._epsilon = float(config["layer_norm_eps"])
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(max_tokens)
        self._counter = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._counter.no_padding()
        self._counter.no_truncation()
        weights = load_file(folder / "model.safetensors")
        self._words = weights["embeddings.word_embeddings.weight"]
        kind = weights["embeddings.token_type_embeddings.weight"][0]
        self._positions = weights["embeddings.position_embeddings.weight"] + kind
        self._norm = (weights["embeddings.LayerNorm.weight"], weights["embeddings.LayerNorm.bias"])
        self._layers = [
            _Layer(weights, n, self._heads, self._epsilon) for n in range(config["num_hidden_layers"])
        ]

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return (len(texts), 384) float32, rows of length one."""
        encodings = self._tokenizer.encode_batch([text or " " for text in texts])
        vectors = np.zeros((len(texts), self.dimension), np.float32)
        # Equal lengths together, so that little is spent on padding.
        order = sorted(range(len(texts)), key=lambda index: len(encodings[index]))
        for batch in _batches(order, encodings):
            vectors[batch] = self._forward([encodings[index] for index in batch])
        return vectors

    def count_tokens(self, text: str) -> int:
        """Return the tokens of `text` without the two special ones."""
        return len(self._counter.encode(text, add_special_tokens=False))

    def _forward(self, encodings: Sequence[Encoding]) -> Vectors:
        length = max(map(len, encodings))
        ids = np.zeros((len(encodings), length), np.int64)
        mask = np.zeros((len(encodings), length), np.float32)
        for row, encoding in enumerate(encodings):
            ids[row, : len(encoding)] = encoding.ids
            mask[row, : len(encoding)] = 1.0
        hidden = _layer_norm(self._words[ids] + self._positions[:length], self._norm, self._epsilon)
        penalty = (mask[:, None, None, :] - 1.0) * np.float32(1e9)
        for layer in self._layers:
            hidden = layer(hidden, penalty)
        pooled = (hidden * mask[:, :, None]).sum(axis=1)
        norms = np.linalg.norm(pooled, axis=1, keepdims=True)
        return (pooled / np.maximum(norms, 1e-12)).astype(np.float32)


class _Layer:
    """One transformer layer; hidden states are (B, T, 384) float32."""

    def __init__(self, weights: dict[str, Vectors], n: int, heads: int, epsilon: float):
        def linear(name: str) -> tuple[Vectors, Vectors]:
            base = f"encoder.layer.{n}.{name}"
            return np.ascontiguousarray(weights[f"{base}.weight"].T), weights[f"{base}.bias"]

        def norm(name: str) -> tuple[Vectors, Vectors]:
            base = f"encoder.layer.{n}.{name}.LayerNorm"
            return weights[f"{base}.weight"], weights[f"{base}.bias"]

        parts = [linear(f"attention.self.{part}") for part in ("query", "key", "value")]
        self._qkv = (np.concatenate([p[0] for p in parts], axis=1), np.concatenate([p[1] for p in parts]))
        self._out, self._norm_out = linear("attention.output.dense"), norm("attention.output")
        self._up, self._down, self._norm_down = (
            linear("intermediate.dense"),
            linear("output.dense"),
            norm("output"),
        )
        self._heads, self._epsilon = heads, epsilon

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
        up = attended @ self._up[0] + self._up[1]
        up *= np.float32(0.5) * (np.float32(1.0) + erf(up * np.float32(2**-0.5)))
        down = up @ self._down[0] + self._down[1] + attended
        normed = _layer_norm(down.astype(np.float32, copy=False), self._norm_down, self._epsilon)
        return normed.reshape(batch, length, width)


def _layer_norm(x: Vectors, norm: tuple[Vectors, Vectors], epsilon: float) -> Vectors:
    centred = x - x.mean(axis=-1, keepdims=True)
    variance = np.einsum("...i,...i->...", centred, centred)[..., None] / np.float32(x.shape[-1])
    centred /= np.sqrt(variance + np.float32(epsilon))
    centred *= norm[0]
    centred += norm[1]
    return centred


def _batches(order: Sequence[int], encodings: Sequence[Encoding]) -> list[list[int]]:
    """Cut `order` (by rising length) so that rows × longest stays within _BATCH_TOKENS."""
    batches: list[list[int]] = []
    for index in order:
        if not batches or (len(batches[-1]) + 1) * len(encodings[index]) > _BATCH_TOKENS:
            batches.append([])
        batches[-1].append(index)
    return batches
