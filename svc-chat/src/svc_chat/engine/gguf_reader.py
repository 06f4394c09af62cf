"""Reads the bytes of a GGUF file's header, trusting nothing that they say.

Owns the limits: how much is read, how long strings and arrays may be, that no count reaches past the
file's end. Knows nothing about models: `gguf_header.py` knows what the keys mean. Format:
https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import BinaryIO, TypeAlias

MAX_HEADER_BYTES = 64 * 1024 * 1024
"""Most bytes before the tensors. The largest vocabularies in use (262,144 tokens) take about 16 MB."""
MAX_STRING_BYTES = 1024 * 1024
MAX_KEY_BYTES = 1024
MAX_KEYS = 4096
MAX_STRINGS = 2_000_000
"""Strings in all arrays together: a bound on the time, about 0.2 s."""
KEPT_ITEMS = 1024
"""Longer arrays are measured and passed over."""
_CHUNK = 256 * 1024

STRING, ARRAY, BOOL, INT32, UINT32, FLOAT32 = 8, 9, 7, 5, 4, 6
_SCALARS = {
    0: struct.Struct("<B"), 1: struct.Struct("<b"), 2: struct.Struct("<H"), 3: struct.Struct("<h"),
    UINT32: struct.Struct("<I"), INT32: struct.Struct("<i"), FLOAT32: struct.Struct("<f"),
    BOOL: struct.Struct("<?"), 10: struct.Struct("<Q"), 11: struct.Struct("<q"), 12: struct.Struct("<d"),
}  # fmt: skip
_U32, _U64 = _SCALARS[UINT32], _SCALARS[10]

Scalar: TypeAlias = int | float | bool | str


class Malformed(Exception):
    """The file is not what it says it is; the text says what is wrong, without a full stop."""

    def __init__(self, what: str, remedy: str = "Download it again, or convert the model again"):
        super().__init__(what)
        self.what, self.remedy = what, remedy


@dataclass(frozen=True)
class Array:
    """A list of one element type; `items` are kept of short ones only."""

    element_type: int
    count: int
    items: tuple[Scalar, ...] = ()


Value: TypeAlias = Scalar | Array


class HeaderReader:
    """A window that moves forward over an open file of `size` bytes; holds about 1 MiB at most."""

    def __init__(self, file: BinaryIO, size: int):
        self._file, self._size = file, size
        self._window, self._at, self._base = b"", 0, 0
        self._strings_left = MAX_STRINGS

    @property
    def position(self) -> int:
        """Bytes of the file passed so far."""
        return self._base + self._at

    @property
    def left(self) -> int:
        """Bytes of the file that follow."""
        return self._size - self.position

    def take(self, count: int) -> bytes:
        """Return the next `count` bytes."""
        self._need(count)
        start, self._at = self._at, self._at + count
        return self._window[start : self._at]

    def u32(self) -> int:
        return int(_U32.unpack(self.take(4))[0])

    def u64(self) -> int:
        return int(_U64.unpack(self.take(8))[0])

    def text(self, limit: int = MAX_STRING_BYTES, what: str = "a text") -> str:
        """Return a length-prefixed UTF-8 string of at most `limit` bytes."""
        length = self.u64()
        if length > limit:
            raise Malformed(f"{what} says it has {length} bytes, at most {limit} make sense")
        try:
            return self.take(length).decode()
        except UnicodeDecodeError:
            raise Malformed(f"{what} is not UTF-8 text") from None

    def value(self, key: str) -> Value:
        """Return the typed value that follows `key`."""
        kind = self.u32()
        if kind == STRING:
            return self.text(what=f"'{key}'")
        if kind == ARRAY:
            return self._array(key)
        return self._scalar(kind, key)

    def _scalar(self, kind: int, key: str) -> Scalar:
        packed = _SCALARS.get(kind)
        if packed is None:
            raise Malformed(f"'{key}' has the unknown type {kind}")
        value: Scalar = packed.unpack(self.take(packed.size))[0]
        return value

    def _array(self, key: str) -> Array:
        kind, count = self.u32(), self.u64()
        if kind == ARRAY:
            raise Malformed(f"'{key}' is a list of lists, which no model needs")
        if kind != STRING and kind not in _SCALARS:
            raise Malformed(f"'{key}' is a list of the unknown type {kind}")
        width = 8 if kind == STRING else _SCALARS[kind].size
        if count * width > self.left:
            raise Malformed(f"'{key}' says it has {count} items, the file has room for {self.left // width}")
        if kind == STRING:
            return self._strings(key, count)
        if count <= KEPT_ITEMS:
            return Array(kind, count, tuple(self._scalar(kind, key) for _ in range(count)))
        self._skip(count * width)
        return Array(kind, count)

    def _strings(self, key: str, count: int) -> Array:
        self._strings_left -= count
        if self._strings_left < 0:
            raise Malformed(f"'{key}' has {count} texts; more than {MAX_STRINGS} are not read")
        if count <= 64:
            return Array(STRING, count, tuple(self.text(what=f"'{key}'") for _ in range(count)))
        left = count
        while left:
            left = self._walk(left)
            if left:
                self._need_string(key)
        return Array(STRING, count)

    def _walk(self, left: int) -> int:
        """Pass over the strings that lie whole in the window; return how many are left."""
        window, at, end, unpack = self._window, self._at, len(self._window), _U64.unpack_from
        while left and at + 8 <= end:
            after = at + 8 + unpack(window, at)[0]
            if after > end:
                break
            at, left = after, left - 1
        self._at = at
        return left

    def _need_string(self, key: str) -> None:
        self._need(8)
        length = _U64.unpack_from(self._window, self._at)[0]
        if length > MAX_STRING_BYTES:
            raise Malformed(f"a text in '{key}' says it has {length} bytes")
        self._need(8 + length)

    def _need(self, count: int) -> None:
        """Have the next `count` bytes in the window."""
        if self._at + count <= len(self._window):
            return
        self._check(count)
        rest = self._window[self._at :]
        self._base, self._at = self._base + self._at, 0
        self._window = rest + self._file.read(max(count - len(rest), _CHUNK))
        if len(self._window) < count:
            raise _ends_early()

    def _skip(self, count: int) -> None:
        self._check(count)
        if self._at + count <= len(self._window):
            self._at += count
            return
        self._base, self._at, self._window = self.position + count, 0, b""
        self._file.seek(self._base)

    def _check(self, count: int) -> None:
        if count > self.left:
            raise _ends_early()
        if self.position + count > MAX_HEADER_BYTES:
            raise Malformed(f"its header is longer than {MAX_HEADER_BYTES >> 20} MiB")


def _ends_early() -> Malformed:
    return Malformed("the file ends in the middle of its header", "Download it again: it is not complete")
