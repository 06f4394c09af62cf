"""The limits under which a file is read, with their units. Knows nothing about any format."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ParseLimits:
    """What one file may cost; beyond it the file is refused with 413."""

    max_pages: int = 2_000
    """Pages, slides or sheets."""
    max_chars: int = 5_000_000
    """Characters of text that come out."""
    max_members: int = 2_000
    """Members of an Office file (a zip archive)."""
    max_unpacked_bytes: int = 100 * 2**20
    """All members of an Office file together, unpacked."""
    max_ratio: int = 200
    """Unpacked to packed size of one member of at least 1 MiB."""
    max_cells: int = 1_000_000
    """Cells of a spreadsheet or CSV file."""
    memory_bytes: int = 512 * 2**20
    """Address space of the process that parses (RLIMIT_AS)."""
    timeout_s: float = 60.0
    """Wall clock for one file."""
