"""The service believes nothing that comes out of a sandbox."""

from __future__ import annotations

import asyncio
import json
import socket
import struct

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from svc_code.engine import claims
from svc_code.engine.names import PART_BYTES_MAX, is_plain
from svc_code.engine.pipe import Pipe
from svc_code.errors import SandboxLost
from svc_code.inside import frames

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=20,
)


async def _pipe() -> tuple[Pipe, socket.socket]:
    ours, theirs = socket.socketpair()
    return Pipe(*await asyncio.open_connection(sock=ours)), theirs


@pytest.mark.parametrize(
    "sent",
    [
        struct.pack(">II", frames.JSON_MAX + 1, 0),
        struct.pack(">II", 2, frames.PAYLOAD_MAX + 1),
        struct.pack(">II", 2, 0) + b"[]",
        struct.pack(">II", 5, 0) + b"{nope",
        struct.pack(">II", 200_000, 0) + b"[" * 200_000,
        struct.pack(">II", 2, 0) + b"{}",
        struct.pack(">II", 11, 0) + b'{"ask":"x"}',
        b"\xff" * 64,
        b"",
    ],
)
async def test_what_is_no_frame_ends_the_sandbox(sent: bytes) -> None:
    pipe, theirs = await _pipe()
    answer = pipe.ask("files")
    theirs.sendall(sent)
    theirs.shutdown(socket.SHUT_WR)
    with pytest.raises(SandboxLost):
        await asyncio.wait_for(answer, 60)
    assert pipe.lost.is_set()
    with pytest.raises(SandboxLost):
        await pipe.ask("files")
    await pipe.close()
    theirs.close()


async def test_answers_find_their_questions_in_any_order() -> None:
    pipe, theirs = await _pipe()
    first, second = pipe.ask("files"), pipe.ask("read", name="a")
    theirs.sendall(frames.encode({"ask": 99, "event": "done"}))
    theirs.sendall(
        frames.encode({"ask": 2, "event": "done"}, b"two") + frames.encode({"ask": 1, "event": "done"})
    )
    assert (await asyncio.wait_for(second, 60))[1] == b"two"
    assert (await asyncio.wait_for(first, 60))[1] == b""
    await pipe.close()
    theirs.close()


@given(
    st.lists(
        st.tuples(st.dictionaries(st.text(max_size=5), st.integers()), st.binary(max_size=50)), max_size=5
    ),
    st.integers(1, 40),
)
def test_frames_come_back_however_they_are_cut(sent: list, step: int) -> None:
    whole = b"".join(frames.encode(message, payload) for message, payload in sent)
    splitter, found = frames.Splitter(), []
    for start in range(0, len(whole), step):
        found += splitter.feed(whole[start : start + step])
    assert found == sent


@pytest.mark.parametrize("number", [2**63, -(2**64), 10**299, 10**400])
def test_a_whole_number_of_any_length_can_be_sent(number: int) -> None:
    told = {"axes": [{"series": [{"kind": "bar", "x": [number], "y": [number]}]}]}
    assert orjson.dumps(claims.chart({"file": "a.png", "data": told}))


@given(ANYTHING)
def test_any_claim_becomes_something_that_can_be_sent(claimed: object) -> None:
    made = [
        claims.files(claimed, 5),
        claims.files([claimed], 5),
        claims.error(claimed),
        claims.chart({"file": "a.png", "data": claimed}),
        claims.chart(
            {"file": "a.png", "data": {"axes": [{"series": [{"kind": "bar", "x": claimed, "y": [claimed]}]}]}}
        ),
    ]
    assert orjson.dumps(made)
    assert json.dumps([chart.data for chart in made[3:] if chart is not None], allow_nan=False)


@given(st.text(max_size=300))
def test_a_plain_name_never_leads_out(name: str) -> None:
    if is_plain(name):
        parts = name.split("/")
        assert all(part not in ("", ".", "..") and "\0" not in part for part in parts)
        assert max(len(part.encode()) for part in parts) <= PART_BYTES_MAX
