"""Servers that answer as no service should, on real sockets: what the gateway must bear in a neighbour."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

MIB = 1024 * 1024
Answer = Callable[["Odd", asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Odd:
    """One running server; `sent` counts the bytes that a caller took from it on its worst connection."""

    url: str = ""
    sent: int = 0
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    async def send(
        self, writer: asyncio.StreamWriter, pieces: int, piece: bytes, pause_s: float = 0.0
    ) -> None:
        taken = 0
        for _ in range(pieces):
            writer.write(piece)
            await writer.drain()
            taken += len(piece)
            self.sent = max(self.sent, taken)
            await asyncio.sleep(pause_s)


def _whole(body: bytes, kind: str = "application/json") -> bytes:
    return f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


async def _hangs(_: Odd, reader: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
    await reader.read()


async def _drips(odd: Odd, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    for byte in _whole(b'{"status": "ready", "data": [], "paths": {}}'):
        await odd.send(writer, 1, bytes([byte]), 0.05)


async def _resets(_: Odd, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    linger = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.close()


async def _floods(odd: Odd, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9999999999\r\n\r\n")
    await odd.send(writer, 10_000, b" " * MIB)


async def _floods_in_chunks(odd: Odd, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n[")
    await odd.send(writer, 10_000, b"100000\r\n" + b" " * MIB + b"\r\n")


async def _floods_headers(odd: Odd, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    await odd.send(writer, 10_000, b"X-Long: " + b"x" * 4000 + b"\r\n")


def _says(answer: bytes) -> Answer:
    async def say(_: Odd, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()
        writer.close()

    return say


_WRONG_TYPES = (
    b'{"status":"ready","model":{"a":[1]},"device":7,"reason":[],"queue":[1],"data":[1,{},{"id":3},{"id":null}],'
    b'"paths":{"/x":7,"/y":[]},"components":{"schemas":[1]}}'
)
_DEEP = (
    b'{"status":"ready","data":' + b"[" * 900 + b"]" * 900 + b',"paths":' + b'{"a":' * 900 + b"1" + b"}" * 901
)

ANSWERS: dict[str, Answer] = {
    "hangs": _hangs,
    "drips": _drips,
    "resets": _resets,
    "closes": _says(b""),
    "speaks no HTTP": _says(b"\x00\xff\xfe SSH-2.0-OpenSSH_9.2\r\n\r\n"),
    "answers a page": _says(_whole(b"<html>hello</html>", "text/html")),
    "answers a number": _says(_whole(b"42")),
    "answers wrong types": _says(_whole(_WRONG_TYPES)),
    "answers deep JSON": _says(_whole(_DEEP)),
    "breaks off": _says(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"),
    "floods": _floods,
    "floods in chunks": _floods_in_chunks,
    "floods headers": _floods_headers,
}
REFUSES = "refuses"
"""Nobody listens."""


@contextlib.asynccontextmanager
async def serve_odd(how: str) -> AsyncIterator[Odd]:
    """Serve an odd neighbour."""
    odd = Odd()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        odd.writers.append(writer)
        with contextlib.suppress(OSError, asyncio.CancelledError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            await ANSWERS[how](odd, reader, writer)
            await reader.read()
        writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    odd.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    if how == REFUSES:
        server.close()
    try:
        yield odd
    finally:
        server.close()
        for writer in odd.writers:
            writer.transport.abort()
