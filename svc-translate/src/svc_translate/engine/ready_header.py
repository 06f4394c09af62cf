"""Reads the beginning of CTranslate2's `model.bin`: whether it is one, and how many bytes a number takes.

The format is that of `ctranslate2.specs.model_spec.ModelSpec._serialize` (binary version 6): a version, the name and
revision of what it holds, how many variables there are, and for each its name, shape, type and bytes, sorted by name.
"""

from __future__ import annotations

import re
import struct

HEAD_BYTES = 64 * 1024
"""The variables before the first matrix are a few settings and biases."""
_BEGINS = re.compile(rb"[\x01-\x08]\0\0\0\x10\0TransformerSpec\0", re.DOTALL)
_TYPE_BYTES = (4, 1, 2, 4, 2, 2)
"""float32, int8, int16, int32, float16, bfloat16."""


def is_translator(head: bytes) -> bool:
    """Say whether a file begins as a translation model of CTranslate2 does."""
    return _BEGINS.match(head) is not None


def number_bytes(head: bytes) -> int:
    """Return the bytes of one number of the first matrix, which is an embedding; 4 if it cannot be told."""
    try:
        at = struct.calcsize("<I") + 2 + 16 + struct.calcsize("<II")
        while True:
            (length,) = struct.unpack_from("<H", head, at)
            at += 2 + length
            rank = head[at]
            at += 1 + 4 * rank
            kind, size = struct.unpack_from("<BI", head, at)
            if rank >= 2:
                return _TYPE_BYTES[kind]
            at += 5 + size
    except (struct.error, IndexError):
        return 4
