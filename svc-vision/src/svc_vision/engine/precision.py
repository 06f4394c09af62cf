"""Which number format a model is loaded in. Imports torch only when asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

_CPUINFO = Path("/proc/cpuinfo")
_FULL_BYTES = 3
"""A file that takes more bytes a number than this holds 32-bit numbers."""


def choose_dtype(device: str, bytes_per_number: float) -> Any:
    """Give the torch dtype for weights that take so many bytes a number in their file.

    32-bit files stay as they are: they are mapped, not read, and converting them costs more than it
    saves (BLIP, one thread: 9.7 s a picture as it is, 9.0 s in bf16; at most 1,397 MiB against 1,735). 16-bit files run
    in bf16 where the processor computes in it (SmolVLM: 19 s an answer against 48 s in 32 bits; 980 MiB against
    1,961), else in 32 bits. Measured 2026-11-27.
    """
    import torch

    if bytes_per_number > _FULL_BYTES:
        return torch.float32
    if device == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    return torch.bfloat16 if _computes_bf16() else torch.float32


def bytes_per_number(folder: Path) -> float:
    """Return how many bytes a number takes in the weights of a folder, read from their headers."""
    from safetensors import safe_open

    size = numbers = 0
    for file in folder.glob("*.safetensors"):
        with safe_open(file, framework="pt") as opened:
            for name in opened.keys():  # noqa: SIM118 (it is no mapping)
                count = 1
                for side in opened.get_slice(name).get_shape():
                    count *= side
                numbers += count
        size += file.stat().st_size
    return size / max(numbers, 1)


def _computes_bf16() -> bool:
    try:
        text = _CPUINFO.read_text()
    except OSError:
        return False
    return "avx512_bf16" in text or "amx_bf16" in text
