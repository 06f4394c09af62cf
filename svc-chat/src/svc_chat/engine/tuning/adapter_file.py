"""Writes a trained adapter as llama.cpp's LoRA file, in the layout of its `convert_lora_to_gguf.py`.

Owns names and layouts: llama.cpp's rotary embedding turns neighbouring pairs where transformers turns halves, so
queries' and keys' rows of llama models change places. A test holds the logits of both equal.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import gguf
import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float32]
NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
PERMUTED = ("llama",)


def write_adapter(
    path: Path,
    matrices: Mapping[str, Matrix],
    *,
    architecture: str,
    alpha: float,
    heads: int,
    kv_heads: int,
    name: str,
) -> None:
    """Write `path` in one move.

    Args:
        matrices: by peft's names, `….layers.N.self_attn.q_proj.lora_A.default.weight` `(rank, in)` and
            `lora_B` `(out, rank)`.
        architecture: of the base, one of recipe.TRAINABLE.
        alpha: what the product is multiplied with, times the rank.
    """
    part = path.with_suffix(".part")
    writer = gguf.GGUFWriter(part, architecture)
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
    writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, float(alpha))
    writer.add_name(name)
    for peft_name, matrix in matrices.items():
        target, side = _renamed(peft_name)
        if side == "lora_b" and architecture in PERMUTED and target.endswith(("attn_q", "attn_k")):
            matrix = _interleaved(matrix, heads if target.endswith("attn_q") else kv_heads)
        writer.add_tensor(f"{target}.weight.{side}", np.ascontiguousarray(matrix, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with part.open("rb+") as file:
        os.fsync(file.fileno())
    part.replace(path)


def _renamed(peft_name: str) -> tuple[str, str]:
    """Return llama.cpp's name of the matrix that is adapted, and the side."""
    head, _, tail = peft_name.partition(".lora_")
    _, _, place = head.partition(".layers.")
    layer, _, inner = place.partition(".")
    return f"blk.{layer}.{NAMES[inner]}", f"lora_{tail[0].lower()}"


def _interleaved(matrix: Matrix, heads: int) -> Matrix:
    rows, columns = matrix.shape
    return matrix.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)
