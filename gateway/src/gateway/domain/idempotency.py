"""The rules of `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header-07). Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

from servicekit.errors import BadRequest

HEADER = "Idempotency-Key"
_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_AGAIN = frozenset({401, 403, 408, 409, 425, 429})
"""Refusals that say nothing of the work itself: the same call may be let in later."""


def read_key(header: str) -> str:
    """Return the key; the draft writes it as a quoted string, most clients write it bare.

    Raises:
        BadRequest: it is empty, too long or has spaces or other characters in it.
    """
    key = header.strip()
    if len(key) > 1 and key[0] == key[-1] == '"':
        key = key[1:-1]
    if not _KEY.fullmatch(key):
        raise BadRequest(
            f"The {HEADER} has {len(key)} characters; it must have 1 to 255, printable ASCII without spaces. "
            "A UUID is a good one.",
            param=HEADER,
        )
    return key


def record_id(user_id: str, path: str, key: str) -> str:
    """Return the name of what is kept: one caller's key on one route, and nobody else's."""
    return hashlib.sha256("\0".join((user_id, path, key)).encode()).hexdigest()


def is_kept(status: int) -> bool:
    """Tell whether an answer is the outcome of the call, so that the same call gets it again.

    A failure of the service is not: the key is free again, and the next call tries anew.
    """
    return 200 <= status < 500 and status not in _AGAIN


def kept_headers(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Return the headers of an answer that are kept; its length is known from the body."""
    return [(name, value) for name, value in headers if name not in (b"content-length", b"connection")]
