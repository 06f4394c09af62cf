"""The one pipe between the service and a sandbox: frames of JSON and bytes, both with limits.

A frame is two lengths (4 bytes each, big endian), a JSON object and a payload. Used on both ends.
"""

from __future__ import annotations

import json
import struct
from typing import Any

JSON_MAX = 4 * 1024 * 1024
PAYLOAD_MAX = 256 * 1024
HEAD = struct.Struct(">II")


class BadFrame(Exception):
    """What came is not a frame, or over a limit."""


def encode(message: dict[str, Any], payload: bytes = b"") -> bytes:
    """Return one frame. Raises: BadFrame, when it is over a limit."""
    text = json.dumps(message, allow_nan=False).encode()
    if len(text) > JSON_MAX or len(payload) > PAYLOAD_MAX:
        raise BadFrame("over the limit")
    return HEAD.pack(len(text), len(payload)) + text + payload


def lengths(head: bytes) -> tuple[int, int]:
    """Return how long the JSON and the payload are. Raises: BadFrame, when one is over its limit."""
    text, payload = HEAD.unpack(head)
    if text > JSON_MAX or payload > PAYLOAD_MAX:
        raise BadFrame("over the limit")
    return text, payload


def message(text: bytes) -> dict[str, Any]:
    """Return the JSON object. Raises: BadFrame, when it is none."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise BadFrame("not JSON") from exc
    if not isinstance(found, dict):
        raise BadFrame("not an object")
    return found


class Splitter:
    """Cuts a stream of bytes into frames."""

    def __init__(self) -> None:
        self._kept = bytearray()

    def feed(self, part: bytes) -> list[tuple[dict[str, Any], bytes]]:
        """Take what came and return the frames that are whole now. Raises: BadFrame."""
        self._kept += part
        found = []
        while len(self._kept) >= HEAD.size:
            text, payload = lengths(bytes(self._kept[: HEAD.size]))
            end = HEAD.size + text + payload
            if len(self._kept) < end:
                break
            body = bytes(self._kept[HEAD.size : end])
            del self._kept[:end]
            found.append((message(body[:text]), body[text:]))
        return found
