"""Reads weights from safetensors a stretch at a time and makes 8-bit numbers of them.

A model of two gigabytes is converted on machines that have not much more: only the 8-bit numbers of the whole model,
and one stretch of a matrix in 32 bits, are in memory at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

STRETCH_ROWS = 4096
_READABLE = ("F32", "F16")


class Weights:
    """The tensors of a `model.safetensors`, or of the parts that its index names."""

    def __init__(self, files: Sequence[Any]) -> None:
        self._file_of = {name: file for file in files for name in file.keys()}  # noqa: SIM118

    def __contains__(self, name: str) -> bool:
        return name in self._file_of

    def first_of(self, *names: str) -> str:
        """Return the first name that is there. Raises ValueError if none is."""
        found = next((name for name in names if name in self), None)
        if found is None:
            raise ValueError(f"the weights lack {names[0]}")
        return found

    def array(self, name: str) -> np.ndarray:
        """Return a small tensor whole, as float32."""
        return np.asarray(self._slice(name)[:], dtype=np.float32)

    def rows(self, name: str) -> int:
        return int(self._slice(name).get_shape()[0])

    def int8(self, names: Sequence[str], rows: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Return matrices one below the other, of each at most `rows`: (O, I) int8 and scale (O,) float32.

        Each row is scaled so that its largest number becomes 127, as `ctranslate2.specs` does it.
        """
        parts = [_quantized(part) for name in names for part in self._stretches(name, rows)]
        return np.concatenate([numbers for numbers, _ in parts]), np.concatenate(
            [scale for _, scale in parts]
        )

    def _stretches(self, name: str, rows: int | None) -> Iterator[np.ndarray]:
        matrix = self._slice(name)
        end = min(self.rows(name), rows or self.rows(name))
        for start in range(0, end, STRETCH_ROWS):
            yield np.asarray(matrix[start : min(end, start + STRETCH_ROWS)], dtype=np.float32)

    def _slice(self, name: str) -> Any:
        if name not in self._file_of:
            raise ValueError(f"the weights lack {name}")
        found = self._file_of[name].get_slice(name)
        if found.get_dtype() not in _READABLE:
            raise ValueError(f"{name} is {found.get_dtype()}; {' and '.join(_READABLE)} can be read")
        return found


@contextmanager
def opened(folder: Path) -> Iterator[Weights]:
    """Open the safetensors of a model's folder."""
    from contextlib import ExitStack

    from safetensors import safe_open

    whole = folder / "model.safetensors"
    paths = [whole] if whole.is_file() else sorted(folder.glob("model-*-of-*.safetensors"))
    with ExitStack() as stack:
        yield Weights([stack.enter_context(safe_open(path, framework="numpy")) for path in paths])


def _quantized(part: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    most = np.abs(part).max(axis=1)
    most[most == 0] = 127.0
    scale = np.float32(127.0) / most
    return np.rint(part * scale[:, None]).astype(np.int8), scale.astype(np.float32)
