"""Makes the model that the benchmark runs: Qwen2.5-0.5B's shape, Q4_0, random weights, once for each cache.

Speed does not depend on the values of weights. The rows of the (tied) embedding that stand for control tokens,
bytes and loose syllables are zero: their logits are then 0, below the best forty of 151,287 random ones, so no
server ever writes one. An answer therefore ends at `max_tokens` everywhere, with no option that one server has
and another has not, and each token is text of its own, seen the moment it is made.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np

from tests.bench.chat import vocabulary as words

SEED = 20_250_101
FILE_NAME = "qwen2.5-0.5b-shape-q4_0.v1.gguf"
"""The number after `v` is raised when the content changes."""
STDDEV = 0.02
"""Of the weights, as in the initialisation of Qwen2."""
Q4_0, Q8_0 = gguf.GGMLQuantizationType.Q4_0, gguf.GGMLQuantizationType.Q8_0
ROWS_AT_ONCE = 16_384


@dataclass(frozen=True)
class Shape:
    """Sizes of the model, as in Qwen2.5-0.5B-Instruct's `config.json`."""

    layers: int = 24
    width: int = 896
    heads: int = 14
    kv_heads: int = 2
    ffn_width: int = 4864
    context: int = 32_768
    rope_base: float = 1_000_000.0
    norm_epsilon: float = 1e-6

    @property
    def kv_width(self) -> int:
        """Numbers in the keys of one token."""
        return self.width // self.heads * self.kv_heads


@dataclass(frozen=True)
class Tensor:
    """One tensor of the file; `shape` is (rows, columns) or (columns,)."""

    name: str
    shape: tuple[int, ...]
    kind: gguf.GGMLQuantizationType = gguf.GGMLQuantizationType.F32
    fill: float | None = None
    """None: random; else every number."""


def ensure(cache: Path) -> Path:
    """Return the model in `cache`, making it first when it is not there (about half a minute)."""
    file = cache / FILE_NAME
    if not file.is_file():
        cache.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(f".{os.getpid()}.part")
        try:
            write(part, Shape(), words.vocabulary())
            part.replace(file)
        finally:
            part.unlink(missing_ok=True)
    return file


def write(file: Path, shape: Shape, vocabulary: words.Vocabulary) -> None:
    """Write the model to `file`, one tensor at a time."""
    writer = gguf.GGUFWriter(file, "qwen2")
    _describe(writer, shape, vocabulary)
    listed = list(tensors(shape, len(vocabulary.tokens)))
    for tensor in listed:
        _announce(writer, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for number, tensor in enumerate(listed):
        writer.write_tensor_data(_values(tensor, number, vocabulary))
    writer.close()


def tensors(shape: Shape, vocabulary_size: int) -> Iterator[Tensor]:
    """List the tensors under llama.cpp's names; the embedding is the output too.

    Its width is no multiple of 256, so where llama-quantize would choose Q6_K it falls back to Q8_0: so do we.
    """
    width, ffn, kv = shape.width, shape.ffn_width, shape.kv_width
    yield Tensor("token_embd.weight", (vocabulary_size, width), Q8_0)
    yield Tensor("output_norm.weight", (width,), fill=1.0)
    for layer in range(shape.layers):
        block = f"blk.{layer}."
        yield Tensor(block + "attn_norm.weight", (width,), fill=1.0)
        yield Tensor(block + "ffn_norm.weight", (width,), fill=1.0)
        for name, rows in (("q", width), ("k", kv), ("v", kv)):
            yield Tensor(f"{block}attn_{name}.weight", (rows, width), Q4_0)
            yield Tensor(f"{block}attn_{name}.bias", (rows,))
        yield Tensor(block + "attn_output.weight", (width, width), Q4_0)
        yield Tensor(block + "ffn_gate.weight", (ffn, width), Q4_0)
        yield Tensor(block + "ffn_up.weight", (ffn, width), Q4_0)
        yield Tensor(block + "ffn_down.weight", (width, ffn), Q4_0)


def _describe(writer: gguf.GGUFWriter, shape: Shape, vocabulary: words.Vocabulary) -> None:
    writer.add_name("random weights in the shape of Qwen2.5-0.5B")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q4_0)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    writer.add_block_count(shape.layers)
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.width)
    writer.add_feed_forward_length(shape.ffn_width)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_rope_freq_base(shape.rope_base)
    writer.add_layer_norm_rms_eps(shape.norm_epsilon)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(list(vocabulary.tokens))
    writer.add_token_types(list(vocabulary.types))
    writer.add_token_merges(list(vocabulary.merges))
    writer.add_bos_token_id(words.END_OF_TEXT)
    writer.add_eos_token_id(words.IM_END)
    writer.add_pad_token_id(words.END_OF_TEXT)
    writer.add_add_bos_token(False)
    writer.add_chat_template(words.CHATML)


def _announce(writer: gguf.GGUFWriter, tensor: Tensor) -> None:
    if tensor.kind is gguf.GGMLQuantizationType.F32:
        size = 4 * int(np.prod(tensor.shape))
        writer.add_tensor_info(tensor.name, tensor.shape, np.dtype(np.float32), size)
        return
    stored = gguf.quants.quant_shape_to_byte_shape(tensor.shape, tensor.kind)
    size = int(np.prod(stored))
    writer.add_tensor_info(tensor.name, stored, np.dtype(np.uint8), size, raw_dtype=tensor.kind)


def _values(tensor: Tensor, number: int, vocabulary: words.Vocabulary) -> np.ndarray:
    if tensor.fill is not None:
        return np.full(tensor.shape, tensor.fill, np.float32)
    random = np.random.default_rng([SEED, number])
    if len(tensor.shape) == 1:
        return random.standard_normal(tensor.shape, np.float32) * STDDEV
    parts = []
    for first in range(0, tensor.shape[0], ROWS_AT_ONCE):
        rows = min(ROWS_AT_ONCE, tensor.shape[0] - first)
        values = random.standard_normal((rows, tensor.shape[1]), np.float32) * np.float32(STDDEV)
        if tensor.name == "token_embd.weight":
            ids = np.arange(first, first + rows)
            values[(ids < vocabulary.spoken_from) | (ids >= words.BASE_SIZE)] = 0
        parts.append(gguf.quants.quantize(values, tensor.kind))
    return np.concatenate(parts)
