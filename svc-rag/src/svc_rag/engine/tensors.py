"""Tensors of a folder's safetensors as NumPy arrays, mapped from the file: only what is read comes into memory.

Own reader, because the library's NumPy one copies whole tensors and knows no bfloat16. The format: eight bytes with the
header's length, JSON that names each tensor's type, shape and place, then the numbers.
"""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from svc_rag.engine.base import Vectors

_TYPES: dict[str, Any] = {"F32": np.float32, "F16": np.float16, "BF16": np.uint16}
_OWN = re.compile(r"(?:[A-Za-z_]+\.)?((?:embeddings|encoder|pooler|classifier)\..+)")
"""Checkpoints with a head put the network's name (`bert.`, `roberta.`) before a tensor's."""


class Tensors:
    """The tensors of all `*.safetensors` of a folder, by their names without the network's."""

    def __init__(self, folder: Path):
        self._placed: dict[str, tuple[Path, str, list[int], int]] = {}
        for path in sorted(folder.glob("*.safetensors")):
            self._read_header(path)

    def _read_header(self, path: Path) -> None:
        size = path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if length > size - 8:
                raise ValueError(f"{path.name} is no safetensors file")
            header = json.loads(file.read(length))
        for name, told in header.items():
            own = _OWN.fullmatch(name)
            if own is None or told["dtype"] not in _TYPES:
                continue
            first, end = told["data_offsets"]
            wanted = math.prod(told["shape"]) * np.dtype(_TYPES[told["dtype"]]).itemsize
            if not 0 <= first <= end <= size - 8 - length or end - first != wanted:
                raise ValueError(f"{path.name}: the place of a tensor is outside of the file")
            plain = own[1].replace(".gamma", ".weight").replace(".beta", ".bias")
            self._placed[plain] = (path, told["dtype"], told["shape"], 8 + length + first)

    def __contains__(self, name: str) -> bool:
        return name in self._placed

    def mapped(self, name: str) -> Rows:
        """Return a matrix whose rows are read when they are asked for. Raises KeyError."""
        path, kind, shape, offset = self._placed[name]
        raw = np.memmap(path, _TYPES[kind], "r", offset, tuple(shape))
        return Rows(raw, kind)

    def __getitem__(self, name: str) -> Vectors:
        """Return a whole tensor as float32. Raises KeyError."""
        return self.mapped(name)[...]


class Rows:
    """A tensor on disk; what is taken out of it is float32."""

    def __init__(self, raw: NDArray[Any], kind: str):
        self._raw, self._kind = raw, kind

    @property
    def shape(self) -> tuple[int, ...]:
        return self._raw.shape

    def __getitem__(self, index: Any) -> Vectors:
        taken = np.array(self._raw[index])
        if self._kind == "BF16":
            return (taken.astype(np.uint32) << 16).view(np.float32)
        return taken.astype(np.float32, copy=False)
