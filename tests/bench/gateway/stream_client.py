"""Reads many streams at once over plain sockets: `python -m tests.bench.gateway.stream_client URL …`.

A process of its own that only counts bytes, so that it costs less than whatever is measured. Prints one line of JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from typing import cast
from urllib.parse import urlsplit

import uvloop

from tests.bench.gateway.traffic import KEY, question

MARK = b"data: "


class Stream(asyncio.Protocol):
    """One connection: sends a request once told to, then counts tokens until the server closes."""

    def __init__(self, request: bytes):
        self._request, self._tail = request, b""
        self.tokens, self.asked_at, self.first_at = 0, 0.0, 0.0
        self.status = b""
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the connection."""
        self._transport = cast(asyncio.WriteTransport, transport)

    def ask(self) -> None:
        """Send the request."""
        self.asked_at = time.perf_counter()
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Count the tokens in what came; one may be cut in two."""
        if len(self.status) < 12:
            self.status += data[: 12 - len(self.status)]
        seen = self._tail + data
        found = seen.count(MARK)
        if found and not self.tokens:
            self.first_at = time.perf_counter()
        self.tokens += found
        self._tail = seen[-len(MARK) + 1 :]

    def connection_lost(self, exc: Exception | None) -> None:
        """The answer has ended."""
        if not self.over.done():
            self.over.set_result(None)


async def read(url: str, streams: int, tokens: int) -> dict[str, object]:
    """Open `streams` connections, ask on all, read all to their ends.

    Raises:
        RuntimeError: an answer had another status than 200, or other than `tokens` tokens.
    """
    parts = urlsplit(url)
    request = _request(parts.hostname or "", parts.port or 80, f"{parts.path}?{parts.query}")
    loop = asyncio.get_running_loop()
    opened = [
        (await loop.create_connection(lambda: Stream(request), parts.hostname, parts.port))[1]
        for _ in range(streams)
    ]
    began = time.perf_counter()
    for stream in opened:
        stream.ask()
    await asyncio.gather(*(stream.over for stream in opened))
    seconds = time.perf_counter() - began
    for stream in opened:
        if stream.status != b"HTTP/1.1 200" or stream.tokens != tokens:
            raise RuntimeError(f"a stream began {stream.status!r} and had {stream.tokens} tokens of {tokens}")
    first_ms = [1000 * (stream.first_at - stream.asked_at) for stream in opened]
    return {"tokens": streams * tokens, "seconds": seconds, "first_ms": first_ms}


def _request(host: str, port: int, target: str) -> bytes:
    body = question()
    head = (
        f"POST {target} HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer {KEY}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body


async def main() -> None:
    """Read as the command line says; with `--times`, so often one after another, all firsts together."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--streams", type=int, default=1)
    parser.add_argument("--tokens", type=int, required=True)
    parser.add_argument("--times", type=int, default=1)
    asked = parser.parse_args()
    found = [await read(asked.url, asked.streams, asked.tokens) for _ in range(asked.times)]
    whole = {
        "tokens": sum(one["tokens"] for one in found),  # type: ignore[misc]
        "seconds": sum(one["seconds"] for one in found),  # type: ignore[misc]
        "first_ms": [ms for one in found for ms in one["first_ms"]],  # type: ignore[attr-defined]
    }
    sys.stdout.write(json.dumps(whole) + "\n")


if __name__ == "__main__":
    uvloop.run(main())
