"""Server-sent events: one writer for every stream of the system."""

from __future__ import annotations

from typing import Any

import orjson

HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
"""Headers of every stream: nothing on the way may hold it back."""
MEDIA_TYPE = "text/event-stream"
DONE = b"data: [DONE]\n\n"
"""The end of OpenAI's streams."""
KEEP_ALIVE = b": keep-alive\n\n"

_MOST = 2**31 - 1
"""Events have no larger numbers, and a larger one fits no database."""


def last_seen(header: str | None) -> int:
    """Return the number of the last event that a `Last-Event-ID` says was seen; 0 where it is no number."""
    return min(int(header[:12]), _MOST) if header and header.isascii() and header.isdigit() else 0


def event(payload: Any, *, name: str | None = None, id: int | str | None = None) -> bytes:
    """Return one event whose data is `payload` as JSON."""
    head = (f"id: {id}\n" if id is not None else "") + (f"event: {name}\n" if name else "")
    return head.encode() + b"data: " + orjson.dumps(payload) + b"\n\n"
