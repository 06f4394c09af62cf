"""The client of the data path: every shape of answer, connections that are kept, and servers that misbehave."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import aiohttp
import pytest

from gateway.engine.wire import Answer, Connection, Garbled, Unreachable, Wire

from .conftest import patiently, until

Say = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\n"
SHAPES = {
    "length": OK + b"Content-Length: 5\r\nX-A: b\r\n\r\nhello",
    "chunks": OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nX-Trailer: t\r\n\r\n",
    "after a hint": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    + OK
    + b"Content-Length: 5\r\n\r\nhello",
}


@dataclass
class Server:
    """Says something on every request; remembers requests by connection."""

    say: Say
    url: str = ""
    requests: list[list[bytes]] = field(default_factory=list)
    lost: int = 0
    last: dict[asyncio.StreamWriter, bytes] = field(default_factory=dict)

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        mine: list[bytes] = []
        self.requests.append(mine)
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = next(
                    (int(x[15:]) for x in head.lower().split(b"\r\n") if x[:15] == b"content-length:"), 0
                )
                self.last[writer] = await reader.readexactly(length)
                mine.append(head + self.last[writer])
                await self.say(reader, writer)
        self.lost += 1
        writer.close()


@contextlib.asynccontextmanager
async def serving(say: Say | bytes) -> AsyncIterator[tuple[Server, Wire]]:
    async def plain(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert isinstance(say, bytes)
        writer.write(say)
        await writer.drain()

    server = Server(plain if isinstance(say, bytes) else say)
    listening = await asyncio.start_server(server.connected, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    wire = Wire(60.0)
    try:
        yield server, wire
    finally:
        wire.close()
        listening.close()


async def ask(server: Server, wire: Wire, method: str = "GET", body: bytes | None = None, **more) -> Answer:
    given = {"silence_s": 60.0, "headers": [("x-a", "b")]} | more
    return await wire.request(server.url, method, "/x?y=1", body=body, **given)


@pytest.mark.parametrize("shape", SHAPES)
async def test_an_answer_is_read_whatever_its_shape_and_its_connection_is_used_again(shape: str) -> None:
    async with serving(SHAPES[shape]) as (server, wire):
        for number in range(3):
            answer = await ask(server, wire, "POST", b"body %d" % number)
            assert answer.status == 200 and await answer.read() == b"hello"
            assert answer.connection is None
        assert len(server.requests) == 1
        assert server.requests[0][1].startswith(b"POST /x?y=1 HTTP/1.1\r\nhost: 127.0.0.1:")
        assert server.requests[0][1].endswith(b"x-a: b\r\ncontent-length: 6\r\n\r\nbody 1")


async def test_each_of_many_callers_at_once_gets_his_own_answer() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        said = server.last[writer]
        writer.write(OK + b"Content-Length: %d\r\n\r\n" % len(said) + said)

    async with serving(echo) as (server, wire):

        async def caller(name: int) -> None:
            for number in range(40):
                said = b"%d of %d" % (number, name)
                answer = await ask(server, wire, "POST", said)
                assert await answer.read() == said

        await asyncio.wait_for(asyncio.gather(*map(caller, range(50))), 60)
        assert len(server.requests) <= 50


async def test_a_caller_who_leaves_takes_no_other_along() -> None:
    async def late(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.001)
        writer.write(OK + b"Content-Length: 2\r\n\r\nok")

    async with serving(late) as (server, wire):

        async def stays() -> None:
            for _ in range(100):
                assert await (await ask(server, wire)).read() == b"ok"

        async def leaves(number: int) -> None:
            for _ in range(50):
                call = asyncio.create_task(ask(server, wire))
                await asyncio.sleep(0.0005 + number % 10 * 0.0001)
                call.cancel()
                await asyncio.gather(call, return_exceptions=True)

        await asyncio.wait_for(asyncio.gather(*(stays() for _ in range(10)), *map(leaves, range(20))), 60)


@pytest.mark.parametrize("shape", SHAPES)
async def test_an_answer_is_the_same_however_it_is_cut(shape: str) -> None:
    async def byte_by_byte(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for byte in SHAPES[shape]:
            writer.write(bytes([byte]))
            await asyncio.sleep(0)

    async with serving(byte_by_byte) as (server, wire):
        answer = await ask(server, wire)
        assert await answer.read() == b"hello"
        assert {n for n, _ in answer.raw_headers} <= {b"content-length", b"x-a", b"transfer-encoding"}


async def test_a_broken_answer_is_not_taken_for_a_whole_one_when_it_is_read_late() -> None:
    async with serving(OK + b"Content-Length: 5\r\n\r\nhel") as (server, wire):
        answer = await ask(server, wire)
        await asyncio.sleep(0)
        answer.close()
        with pytest.raises(aiohttp.ClientError):
            await answer.read()


async def test_an_answer_that_was_read_leaves_nothing_to_the_garbage_collector() -> None:
    async with serving(SHAPES["length"]) as (server, wire):
        gc.disable()
        try:
            answer = await ask(server, wire)
            assert await answer.read() == b"hello" and answer.content_length == 5
            left = weakref.ref(answer)
            del answer
            assert left() is None
        finally:
            gc.enable()


async def test_a_connection_that_is_lost_leaves_nothing_to_the_garbage_collector() -> None:
    gone = ConnectionResetError()
    connection = Connection([])
    left = weakref.ref(connection)
    gc.disable()
    try:
        connection.connection_lost(gone)
        del connection
        assert left() is None
    finally:
        gc.enable()


async def test_without_a_length_the_end_of_the_connection_is_the_end() -> None:
    async def until_closed(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(OK + b"Content-Type: text/Plain; a=b\r\n\r\nhel")
        await asyncio.sleep(0.01)
        writer.write(b"lo")
        writer.close()

    async with serving(until_closed) as (server, wire):
        answer = await ask(server, wire)
        assert answer.content_length is None and answer.content_type == "text/plain"
        assert await answer.read() == b"hello"
        assert await (await ask(server, wire)).read() == b"hello"
        assert len(server.requests) == 2


async def test_head_and_no_content_have_no_body() -> None:
    async with serving(OK + b"Content-Length: 500\r\n\r\n") as (server, wire):
        for _ in range(2):
            answer = await ask(server, wire, "HEAD")
            assert answer.content_length == 500 and await answer.read() == b""
    async with serving(b"HTTP/1.1 204 No Content\r\n\r\n") as (server, wire):
        for _ in range(2):
            assert await (await ask(server, wire)).read() == b""
        assert len(server.requests) == 1


async def test_a_kept_connection_that_the_service_closed_is_not_used() -> None:
    async def once(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(OK + b"Content-Length: 2\r\n\r\nok")
        await writer.drain()
        writer.close()

    async with serving(once) as (server, wire):
        for number in range(1, 4):
            assert await (await ask(server, wire)).read() == b"ok"
            await until(lambda n=number: server.lost == n and not wire._idle[server.url])
        assert len(server.requests) == 3


async def test_connection_close_is_heeded() -> None:
    async with serving(OK + b"Connection: close\r\nContent-Length: 2\r\n\r\nok") as (server, wire):
        for _ in range(2):
            assert await (await ask(server, wire)).read() == b"ok"
        assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n", Garbled),
        (b"HTTP/1.1 banana\r\n\r\n", Garbled),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", Garbled),
        (OK + b"X: " + b"y" * 200_000, Garbled),
        (OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nok", Garbled),
    ],
)
async def test_what_is_no_answer_is_an_error(said: bytes, error: type[Exception]) -> None:
    async with serving(said) as (server, wire):
        with pytest.raises(error):
            await (await ask(server, wire)).read()
        await until(lambda: server.lost == 1)


async def test_an_answer_that_ends_early_is_an_error_and_not_a_shorter_answer() -> None:
    for said in (OK + b"Content-Length: 50\r\n\r\nhel", OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhel"):

        async def early(_: asyncio.StreamReader, writer: asyncio.StreamWriter, said: bytes = said) -> None:
            writer.write(said)
            await writer.drain()
            writer.close()

        async with serving(early) as (server, wire):
            answer = await ask(server, wire)
            with pytest.raises(aiohttp.ClientConnectionError):
                await answer.read()


async def test_bytes_after_an_answer_end_the_connection() -> None:
    async with serving(OK + b"Content-Length: 2\r\n\r\nok" + OK + b"Content-Length: 4\r\n\r\nevil") as (
        server,
        wire,
    ):
        for _ in range(3):
            assert await (await ask(server, wire)).read() == b"ok"
            await asyncio.sleep(0.05)
        assert len(server.requests) == 3


async def test_silence_is_a_timeout_before_and_within_an_answer() -> None:
    async def silent(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
        await asyncio.sleep(30)

    async def begun(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(OK + b"Content-Length: 50\r\n\r\nhel")
        await asyncio.sleep(30)

    async with serving(silent) as (server, wire):
        with pytest.raises(TimeoutError):
            await ask(server, wire, silence_s=0.1)

    async def heard_of(limit_s: float) -> None:
        answer = await ask(server, wire, silence_s=limit_s)
        with pytest.raises(TimeoutError):
            await answer.read()

    async with serving(begun) as (server, wire):
        await patiently(heard_of, (0.1, 1.0, 10.0))


async def test_nobody_listening_is_unreachable(unused_tcp_port: int) -> None:
    with pytest.raises(Unreachable):
        await Wire(60.0).request(f"http://127.0.0.1:{unused_tcp_port}", "GET", "/", [], None, 60.0)


async def test_a_slow_reader_makes_the_service_wait() -> None:
    sent = 0

    async def flood(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(OK + b"Content-Length: 100000000\r\n\r\n")
        for _ in range(1000):
            writer.write(b"x" * 100_000)
            await writer.drain()
            sent += 100_000

    async def slow(limit_s: float) -> None:
        nonlocal sent
        sent = 0
        answer = await ask(server, wire, silence_s=limit_s)
        await asyncio.sleep(
            2.5 * limit_s
        )  # longer than the silence that is borne: it is we who do not listen
        assert sent < 50_000_000
        size = 0
        async for part in answer.iter_any():
            size += len(part)
        assert size == 100_000_000

    async with serving(flood) as (server, wire):
        await patiently(slow, (0.3, 3.0, 10.0))


async def test_leaving_closes_the_connection() -> None:
    async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async with serving(silent) as (server, wire):
        call = asyncio.create_task(ask(server, wire))
        await until(lambda: server.requests and server.requests[0])
        call.cancel()
        await until(lambda: server.lost == 1)


@pytest.mark.parametrize("bad", [("x-a", "b\r\nx-evil: 1"), ("x-a", "b\nc"), ("x\r", "b"), ("x-a", "\0")])
async def test_a_header_that_would_end_early_is_not_sent(bad: tuple[str, str]) -> None:
    async with serving(b"") as (server, wire):
        with pytest.raises(ValueError, match="line break"):
            await ask(server, wire, headers=[bad])
        assert server.requests == []
