"""Reads how many numbers a model has from the headers of its safetensors, fetching a few kilobytes of each file.

The format: eight bytes with the header's length, then JSON that names each tensor's type, shape and place.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable

from servicekit.hub.plan import Needs

HEADER_MOST_BYTES = 100 * 2**20
"""The limit of the safetensors library itself."""


def numbers_in(needs: Needs, folder: str = "") -> int:
    """Return how many numbers the safetensors under `folder` (`unet/`) hold, of any type.

    Raises:
        ValueError: a file is no safetensors.
    """
    total = 0
    for file in needs.files:
        if file.name.startswith(folder) and file.name.endswith(".safetensors"):
            with needs.repository.opened(needs.listing, file) as content:
                length = int.from_bytes(content.read(8) or b"", "little")
                if not 2 <= length <= min(HEADER_MOST_BYTES, file.size):
                    raise ValueError("the file is no safetensors")
                raw = b""
                while len(raw) < length and (part := content.read(length - len(raw))):
                    raw += part
            total += sum(math.prod(shape) for shape in _shapes(raw))
    return total


def _shapes(raw: bytes) -> Iterable[list[int]]:
    header = json.loads(raw)
    return [told["shape"] for name, told in header.items() if name != "__metadata__"]
