"""Names the result of a deterministic call by its content and its caller. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import orjson

JSON_LIMIT = 1024 * 1024
RESULT_LIMIT = 8 * 1024 * 1024
"""Results over this size in bytes are not kept."""


def wants_fresh(cache_control: str) -> bool:
    """Tell whether the caller asked for a new answer."""
    return "no-cache" in cache_control or "no-store" in cache_control


def body_limit(content_type: str, multipart_limit: int) -> int:
    """Return how many bytes of a body are hashed at most; 0: this type is not cached."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/json" or kind == "":
        return JSON_LIMIT
    if kind in ("multipart/form-data", "application/x-www-form-urlencoded"):
        return multipart_limit
    return 0


def streams(path: str, body: bytes) -> bool:
    """Tell whether the caller asked for events: those are not results. Read only where it can be asked."""
    if path != "/v1/audio/speech":
        return False
    try:
        asked = orjson.loads(body)
    except orjson.JSONDecodeError:
        return True
    return not isinstance(asked, dict) or asked.get("stream_format") == "sse"


def digest(parts: Iterable[str], query: bytes, content_type: str, body: bytes) -> str:
    """Return the hash of a call. The boundary of a multipart body is random, so it is taken out before."""
    kind, _, rest = content_type.partition(";")
    if "boundary=" in rest:
        boundary = rest.split("boundary=", 1)[1].split(";")[0].strip().strip('"')
        body = body.replace(boundary.encode("latin-1"), b"-") if boundary else body
    hashed = hashlib.sha256()
    for part in (*parts, kind.strip().lower()):
        hashed.update(part.encode("utf-8", "surrogateescape") + b"\0")
    hashed.update(query + b"\0")
    hashed.update(body)
    return hashed.hexdigest()


def key(
    user_id: str, path: str, query: bytes, accept: str, content_type: str, model: str, body: bytes
) -> str:
    """Return the key of a call's result: same caller, call, body and model give the same key."""
    return "result:" + digest((user_id, path, accept, model or ""), query, content_type, body)


def pack(status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> bytes:
    """Return an answer as one value for the cache."""
    kept = [[n.decode("latin-1"), v.decode("latin-1")] for n, v in headers]
    return orjson.dumps([status, kept]) + b"\n" + body


def unpack(value: bytes) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Return the answer that `pack` made a value of."""
    head, _, body = value.partition(b"\n")
    status, headers = orjson.loads(head)
    return status, [(n.encode("latin-1"), v.encode("latin-1")) for n, v in headers], body
