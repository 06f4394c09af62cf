"""Half characters and NUL do not get in; everything else of JSON does, in any pieces."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicekit.errors import InvalidBody
from servicekit.json_text import JsonText, check

BAD = [
    rb'"\ud800"', rb'"\udfff"', rb'"\ud800x"', rb'"x\udc00"', rb'"\ud800\ud800\udc00"', rb'"\ud83d\ude00\udc00"',
    rb'"\\\ud800"', rb'"\\ud83d\ude00"', rb'"\u0000"', rb'"\\\u0000"', rb'{"\ud800":1}', rb'"\uD83D \uDE00"',
    b'"\xed\xa0\x80"', b'"\xff"', b'"\xc3"', b'"a\x00b"', '{"a":"b"}'.encode("utf-16"), '{"a":1}'.encode("utf-16-le"),
    '"\\ud800"'.encode("utf-32"),
]  # fmt: skip
GOOD = [
    rb'"\ud83d\ude00"',
    rb'"\\ud800"',
    rb'"\\u0000"',
    rb'"\u00e3\u0001\uffff"',
    "😀ã".encode(),
    b"",
    b"{",
    rb'"\x"',
]


@pytest.mark.parametrize("body", BAD)
def test_what_is_no_text_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidBody):
        check(body)


@pytest.mark.parametrize("body", GOOD)
def test_what_is_text_or_wrong_for_the_parser_passes(body: bytes) -> None:
    check(body)


@given(st.text(), st.booleans(), st.data())
def test_any_text_passes_in_any_pieces(text: str, ascii_only: bool, data: st.DataObject) -> None:
    body = json.dumps({text: [text]}, ensure_ascii=ascii_only).encode()
    watch = JsonText()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=4)))
    pieces = [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    expected = "\x00" in text
    try:
        for place, piece in enumerate(pieces):
            watch.feed(piece, last=place == len(pieces) - 1)
    except InvalidBody:
        assert expected
    else:
        assert not expected


@given(st.text(alphabet=st.sampled_from(["\\", "u", "d", "8", "0", "c", "D", "a", '"'])))
def test_what_passes_never_parses_into_half_a_character(text: str) -> None:
    body = b'"' + text.encode() + b'"'
    try:
        value = json.loads(body)
    except ValueError:
        return
    try:
        check(body)
    except InvalidBody:
        return
    assert "\x00" not in value
    value.encode()


def test_a_large_body_of_escapes_is_read_in_linear_time() -> None:
    def seconds(body: bytes) -> float:
        started = time.thread_time()
        check(body)
        return time.thread_time() - started

    small = min(seconds(b'"' + rb"\ud83d\ude00" * 20_000 + b'"') for _ in range(3))
    assert seconds(b'"' + rb"\ud83d\ude00" * 400_000 + b'"') < 20 * small * 10 + 1
