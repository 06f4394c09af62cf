"""Which hosts, origins and paths are let in. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import fnmatch
from urllib.parse import urlsplit

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""Methods that are answered at all."""
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing."""
_AMBIGUOUS = re.compile(r"[\x00-\x1f\x7f\\]|//|/\.\.?(?:/|$)")
_KNOWN_MOST = 256
"""Host headers that are remembered as allowed."""


def without_port(host: str) -> str:
    """Return `host` in lower case without its port (`[::1]:80` → `[::1]`)."""
    host = host.strip().lower()
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdigit() else host


class Hosts:
    """The Host allow-list: exact names in a set, patterns such as `*.localhost` by match."""

    def __init__(self, allowed: Iterable[str], public_url: str = ""):
        names = [name.lower() for name in allowed]
        if public_url:
            names.append((urlsplit(public_url).hostname or "").lower())
        self._exact = frozenset(n for n in names if "*" not in n)
        self._patterns = tuple(n for n in names if "*" in n)
        self._known: set[str] = set()

    def allow(self, host: str) -> bool:
        """Tell whether a Host header (port ignored) names this gateway."""
        if host in self._known:
            return True
        if not self._judge(host):
            return False
        if len(self._known) < _KNOWN_MOST:
            self._known.add(host)
        return True

    def _judge(self, host: str) -> bool:
        if not host or any(c in host for c in "@/\\, \t"):
            return False
        name = without_port(host)
        return name in self._exact or any(fnmatch(name, pattern) for pattern in self._patterns)


class Origins:
    """Whose pages may change state with a cookie: the gateway's own and those in the settings."""

    def __init__(self, allowed: Iterable[str], public_url: str = ""):
        self._allowed = frozenset(o.rstrip("/").lower() for o in (*allowed, public_url) if o)

    def allow(self, origin: str, host: str, scheme: str) -> bool:
        """Tell whether `origin` is the page of `host` itself or on the list."""
        origin = origin.strip().lower()
        if origin in self._allowed:
            return True
        return origin in (f"{scheme}://{host.lower()}", f"https://{host.lower()}")


def safe_path(path: str) -> bool:
    """Tell whether a decoded path means the same to every server that reads it."""
    return path.startswith("/") and len(path) <= 4096 and _AMBIGUOUS.search(path) is None
