"""Which device and number format a model is loaded with. Imports torch only when asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

#: Below so many bytes of weights bf16 gains nothing on a CPU: converting costs what computing saves.
SMALL_BYTES = 200 * 1024 * 1024
_CPUINFO = Path("/proc/cpuinfo")


def choose_device(wanted: str) -> str:
    """Give `cpu` or `cuda`; `auto` takes CUDA where it is there."""
    import torch

    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return wanted


def choose_dtype(precision: str, device: str, size_bytes: int) -> Any:
    """Give the torch dtype; see the setting `precision`."""
    import torch

    named = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
    if precision in named:
        return named[precision]
    if size_bytes < SMALL_BYTES:
        return torch.float32
    if device == "cuda":
        return torch.float16
    return torch.bfloat16 if _computes_bf16() else torch.float32


def _computes_bf16() -> bool:
    try:
        text = _CPUINFO.read_text()
    except OSError:
        return False
    return "avx512_bf16" in text or "amx_bf16" in text
