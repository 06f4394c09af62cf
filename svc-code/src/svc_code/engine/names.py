"""Which names a session and a session's file may have."""

from __future__ import annotations

import re

from svc_code.errors import FileNameRefused

PART_BYTES_MAX = 255
DEPTH_MAX = 6
SESSION_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}$"
_SESSION = re.compile(SESSION_PATTERN)


def is_session(name: str) -> bool:
    """Tell whether `name` may be a session's id."""
    return _SESSION.fullmatch(name) is not None


def is_plain(name: str) -> bool:
    """Tell whether `name` is a relative path of ordinary parts: printable, none hidden, none leading up."""
    parts = name.split("/")
    if len(parts) > DEPTH_MAX or not name.isprintable():
        return False
    try:
        sizes = [len(part.encode("utf-8")) for part in parts]
    except UnicodeEncodeError:
        return False
    if any(not 0 < size <= PART_BYTES_MAX for size in sizes):
        return False
    return not any(part.startswith(".") or part != part.strip() or "\\" in part for part in parts)


def checked(name: str) -> str:
    """Return `name` when it may be a file's. Raises: FileNameRefused."""
    if not is_plain(name):
        raise FileNameRefused(
            f"{name[:80]!r} cannot be the name of a file. Use letters, digits, spaces and signs that can be "
            f"seen, at most {PART_BYTES_MAX} bytes and {DEPTH_MAX} folders, no part that begins with a dot.",
            param="name",
        )
    return name
