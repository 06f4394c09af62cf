"""Sources that are endless, slow or swell: left in time, and little of them is read."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from servicekit.contract.corpus import internal_urls
from servicekit.contract.inside import canary
from servicekit.fetch import UrlNotAllowed, UrlTooLarge, UrlUnreachable, UrlWrongType, fetch

LIMIT = 20 * 1024 * 1024
PIECE = b"x" * 65536
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n"


class Source:
    """A server that says what a test wants; counts what it could send."""

    def __init__(self) -> None:
        self.port, self.sent, self.talk = 0, 0, None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            await self.talk(reader, writer)  # type: ignore[misc]
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def pour(self, writer: asyncio.StreamWriter, piece: bytes = PIECE) -> None:
        while True:
            writer.write(piece)
            await writer.drain()
            self.sent += len(piece)


@pytest.fixture
async def source() -> AsyncIterator[Source]:
    source = Source()
    server = await asyncio.start_server(source.serve, "127.0.0.1", 0)
    source.port = server.sockets[0].getsockname()[1]
    yield source
    server.close()


async def get(source: Source, *, timeout_s: float = 60.0, max_bytes: int = LIMIT) -> object:
    async def here(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    return await fetch(
        f"http://site.test:{source.port}/", max_bytes=max_bytes, timeout_s=timeout_s,
        allow_hosts=("site.test",), media_types=("image/*",), resolve=here,
    )  # fmt: skip


async def test_of_an_endless_source_no_more_is_read_than_is_allowed(source: Source) -> None:
    async def endless(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + b"\r\n")
        await source.pour(writer)

    source.talk = endless
    with pytest.raises(UrlTooLarge):
        await get(source)
    assert LIMIT - 2**20 < source.sent < LIMIT + 40 * 2**20  # what the system keeps on the way counts too


async def test_endless_chunks_and_a_lying_length_are_cut_off(source: Source) -> None:
    async def chunks(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        await source.pour(writer, b"10000\r\n" + PIECE + b"\r\n")

    async def lying(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + b"Content-Length: 99999999999999\r\n\r\n")
        await source.pour(writer)

    for talk in (chunks, lying):
        source.talk = talk
        with pytest.raises(UrlTooLarge):
            await get(source, max_bytes=100_000)


async def test_endless_headers_are_not_read(source: Source) -> None:
    async def headers(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        await source.pour(writer, b"X-A: " + b"a" * 1000 + b"\r\n")

    source.talk = headers
    with pytest.raises(UrlUnreachable):
        await get(source)
    assert source.sent < LIMIT / 2


async def test_a_source_that_is_silent_or_drips_is_left_at_the_deadline(source: Source) -> None:
    async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async def drips(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + b"\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)

    async def redirects_slowly(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.2)
        writer.write(b"HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n")

    for talk in (silent, drips, redirects_slowly):
        source.talk = talk
        began = time.monotonic()
        with pytest.raises(UrlUnreachable):
            await get(source, timeout_s=0.5)
        assert time.monotonic() - began < 60


@pytest.mark.parametrize("coding", [b"gzip", b"br", b"deflate", b"zstd", b"gzip, gzip"])
async def test_a_bomb_is_not_unpacked(source: Source, coding: bytes) -> None:
    async def bomb(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + b"Content-Encoding: " + coding + b"\r\n\r\n")
        await source.pour(writer)

    source.talk = bomb
    with pytest.raises(UrlWrongType):
        await get(source)
    assert source.sent < LIMIT / 2


async def test_no_way_of_writing_it_reaches_a_server_on_this_machine() -> None:
    with canary() as (port, visits):
        for url in internal_urls(port):
            with pytest.raises((UrlNotAllowed, UrlUnreachable)):
                await fetch(url, max_bytes=1000, timeout_s=20)
    assert visits == []


async def test_a_name_that_changes_its_address_after_the_check_gains_nothing() -> None:
    with canary() as (port, visits):
        answers = iter([["93.184.216.34"], ["127.0.0.1"], ["127.0.0.1"]])

        async def rebinding(host: str, asked_port: int) -> list[str]:
            return next(answers)

        with pytest.raises((UrlNotAllowed, UrlUnreachable)):
            await fetch(f"http://rebind.test:{port}/canary", max_bytes=10, timeout_s=0.5, resolve=rebinding)
    assert visits == []
