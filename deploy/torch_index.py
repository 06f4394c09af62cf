"""Chooses where PyTorch comes from: its CPU index, a local wheel, or the default index. Stdlib only."""

from __future__ import annotations

import urllib.request
from pathlib import Path

CPU_INDEX = "https://download.pytorch.org/whl/cpu/torch/"
PROBE_TIMEOUT_S = 8.0


def arguments(backend: str, find_links: str) -> list[str]:
    """Return the options for `uv pip install`.

    `backend` is what `--torch-backend` takes. A CPU wheel in one of the comma-separated folders
    `find_links` comes first; without a way to PyTorch's own index the default index is used.
    """
    if backend != "cpu":
        return ["--torch-backend", backend]
    folders = [Path(folder) for folder in find_links.split(",") if folder.strip()]
    if any(any(folder.glob("torch-*+cpu*.whl")) for folder in folders):
        return []
    try:
        urllib.request.urlopen(CPU_INDEX, timeout=PROBE_TIMEOUT_S).close()
    except OSError:
        print("PyTorch's own index cannot be reached: torch comes from the default index", flush=True)
        return []
    return ["--torch-backend", "cpu"]
