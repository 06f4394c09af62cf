"""The list of tensors in a GGUF header: shapes, types, and that each lies whole within the file.

Knows nothing about what the tensors mean.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from svc_chat.engine.gguf_reader import HeaderReader, Malformed
from svc_chat.engine.gguf_types import TENSOR_TYPES

MAX_TENSORS = 32_768
"""The largest models in use have about 3,000."""
MAX_NAME_BYTES = 63
MAX_DIMENSIONS = 4
_SMALLEST = 8 + 4 + 8 + 4 + 8
"""Bytes that the description of a tensor takes at least."""


@dataclass(frozen=True)
class Tensor:
    """One tensor's place: `offset` counts from the end of the header; `shape[0]` is the fastest dimension."""

    shape: tuple[int, ...]
    type: str
    offset: int
    elements: int
    byte_count: int


def read_tensors(reader: HeaderReader, count: int) -> dict[str, Tensor]:
    """Read the descriptions of `count` tensors.

    Raises:
        Malformed: a count, name, shape or type that cannot be.
    """
    if count > MAX_TENSORS or count * _SMALLEST > reader.left:
        raise Malformed(f"it says it has {count} tensors, at most {MAX_TENSORS} make sense")
    if count == 0:
        raise Malformed("it holds no tensors", "Download a file with the model's weights")
    tensors: dict[str, Tensor] = {}
    for _ in range(count):
        name = reader.text(MAX_NAME_BYTES, "the name of a tensor")
        if name in tensors:
            raise Malformed(f"the tensor '{name}' comes twice")
        tensors[name] = _tensor(reader, name)
    return tensors


def _tensor(reader: HeaderReader, name: str) -> Tensor:
    dimensions = reader.u32()
    if not 1 <= dimensions <= MAX_DIMENSIONS:
        raise Malformed(f"the tensor '{name}' has {dimensions} dimensions")
    shape = tuple(reader.u64() for _ in range(dimensions))
    kind, offset = reader.u32(), reader.u64()
    known = TENSOR_TYPES.get(kind)
    if known is None:
        raise Malformed(
            f"the tensor '{name}' has the type {kind}, which is not known here",
            "Use another quantization of the model, or a newer Oficina",
        )
    type_name, block, block_bytes = known
    elements = math.prod(shape)
    if not 0 < elements < 1 << 48 or shape[0] % block:
        raise Malformed(f"the tensor '{name}' cannot have the shape {'×'.join(map(str, shape))}")
    return Tensor(shape, type_name, offset, elements, elements // block * block_bytes)


def check_extents(tensors: Mapping[str, Tensor], header_bytes: int, alignment: int, file_bytes: int) -> None:
    """Check that the tensors follow one another without gaps and end within the file.

    Raises:
        Malformed: they do not.
    """
    if alignment & (alignment - 1):
        raise Malformed(f"its alignment is {alignment}, which is no power of two")
    start = header_bytes + -header_bytes % alignment
    expected = 0
    for name, tensor in tensors.items():
        if tensor.offset != expected:
            raise Malformed(f"the tensor '{name}' lies at {tensor.offset}, {expected} would be right")
        end = expected + tensor.byte_count
        if start + end > file_bytes:
            missing = (
                start + sum(t.byte_count + -t.byte_count % alignment for t in tensors.values()) - file_bytes
            )
            raise Malformed(
                f"the file ends {_size(missing)} too early", "Download it again: it is not complete"
            )
        expected = end + -end % alignment


def _size(count: int) -> str:
    return f"{count / 2**20:.1f} MiB" if count >= 2**20 else f"{count} bytes"
