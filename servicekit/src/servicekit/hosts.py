"""Which values of the Host header are answered: a page of another site must not reach us by rebinding."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatch


def is_allowed(host: str, allowed: Sequence[str]) -> bool:
    """Tell whether the Host header `host` (`name`, `name:port`, `[v6]:port`) matches a pattern."""
    if "*" in allowed:
        return True
    if any(char in host for char in "@/\\, \t"):  # two readers would see two hosts
        return False
    bracketed = host.startswith("[")
    name = host[: host.find("]") + 1] if bracketed else host.partition(":")[0]
    return any(
        fnmatch(name.lower(), pattern.lower()) if "*" in pattern else name.lower() == pattern.lower()
        for pattern in allowed
    )
