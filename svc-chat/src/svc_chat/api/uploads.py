"""Reads a multipart body with one file as it comes, so that the file is never whole in memory."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from servicekit.errors import InvalidBody, ServiceError, UnsupportedMedia

MAX_FIELD_BYTES = 4096
MAX_FIELDS = 16
MAX_HEADER_BYTES = 4096
BLOCK_BYTES = 1 << 20
"""What is written at a time: every write is a way to another thread and back."""


@dataclass
class _Form:
    """What the parser has found so far."""

    fields: dict[str, str] = field(default_factory=dict)
    filename: str | None = None
    pieces: list[bytes] = field(default_factory=list)
    held: int = 0
    """Bytes of `pieces`."""
    _name: str = ""
    _is_file: bool = False
    _value: bytearray = field(default_factory=bytearray)
    _header: bytearray = field(default_factory=bytearray)
    _header_name: bytearray = field(default_factory=bytearray)
    _disposition: bytes = b""

    def begin(self) -> None:
        """A part begins."""
        self._value.clear()
        self._disposition, self._is_file = b"", False

    def header_field(self, data: bytes, start: int, end: int) -> None:
        """A piece of a header's name came."""
        self._header_name += data[start:end]
        self._check_header()

    def header_value(self, data: bytes, start: int, end: int) -> None:
        """A piece of a header's value came."""
        self._header += data[start:end]
        self._check_header()

    def header_end(self) -> None:
        """A header is whole."""
        if self._header_name.lower() == b"content-disposition":
            self._disposition = bytes(self._header)
        self._header.clear()
        self._header_name.clear()

    def headers_finished(self) -> None:
        """All headers of a part are there: what comes next is its content."""
        _, options = parse_options_header(self._disposition)
        self._name = _text(options.get(b"name", b""))
        if b"filename" not in options:
            if len(self.fields) >= MAX_FIELDS:
                raise InvalidBody(f"The form has more than {MAX_FIELDS} fields. Send fewer.")
            return
        if self._name != "file" or self.filename is not None:
            raise InvalidBody("Send one file, in the field 'file'.", param="file")
        self._is_file = True
        self.filename = _text(options[b"filename"])

    def content(self, data: bytes, start: int, end: int) -> None:
        """A piece of a part's content came."""
        if self._is_file:
            self.pieces.append(data[start:end])
            self.held += end - start
            return
        self._value += data[start:end]
        if len(self._value) > MAX_FIELD_BYTES:
            raise InvalidBody(
                f"The form's field '{self._name[:40]}' has more than {MAX_FIELD_BYTES} bytes.",
                param=self._name[:40],
            )

    def end(self) -> None:
        """A part is whole."""
        if not self._is_file:
            self.fields[self._name] = _text(bytes(self._value))

    def take(self) -> bytes:
        """Return what came of the file since the last time."""
        taken, self.pieces, self.held = b"".join(self.pieces), [], 0
        return taken

    def _check_header(self) -> None:
        if len(self._header) + len(self._header_name) > MAX_HEADER_BYTES:
            raise InvalidBody(f"A part of the form has a header of more than {MAX_HEADER_BYTES} bytes.")


async def received(request: Request, write: Callable[[bytes], Awaitable[None]]) -> tuple[str, dict[str, str]]:
    """Read the body of `request`, hand its file to `write` piece by piece, return its name and the other fields.

    Raises:
        UnsupportedMedia: it is not multipart.
        InvalidBody: it cannot be read, or has no file.
        ServiceError: what `write` raises.
    """
    form = _Form()
    try:
        parser = _parser(request, form)  # refuses a boundary that is too long
        async for chunk in request.stream():
            parser.write(chunk)
            if form.held >= BLOCK_BYTES:
                await _hand_on(request, form, write)
        parser.finalize()
        await write(form.take())
    except FormParserError as error:
        raise InvalidBody("The multipart body cannot be read: it is cut off or malformed.") from error
    if form.filename is None:
        raise InvalidBody("'file' is missing. Send the file in the multipart field 'file'.", param="file")
    return form.filename, form.fields


async def _hand_on(request: Request, form: _Form, write: Callable[[bytes], Awaitable[None]]) -> None:
    try:
        await write(form.take())
    except ServiceError:
        async for _ in request.stream():  # callers read the answer only when they have sent everything
            pass
        raise


def _parser(request: Request, form: _Form) -> MultipartParser:
    kind, options = parse_options_header(request.headers.get("content-type", "").encode("latin-1"))
    if kind != b"multipart/form-data":
        told = kind.decode("latin-1")[:80]
        raise UnsupportedMedia(f"The content type is '{told}'; this call reads 'multipart/form-data'.")
    if not options.get(b"boundary"):
        raise InvalidBody("The content type has no 'boundary'. Let your HTTP library write the header.")
    return MultipartParser(
        options[b"boundary"],
        {
            "on_part_begin": form.begin,
            "on_part_data": form.content,
            "on_part_end": form.end,
            "on_header_field": form.header_field,
            "on_header_value": form.header_value,
            "on_header_end": form.header_end,
            "on_headers_finished": form.headers_finished,
        },
    )


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")
