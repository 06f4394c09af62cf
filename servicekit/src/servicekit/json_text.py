"""JSON that holds what is no text is refused before anybody reads it.

JSON can write half a character (`"\\ud800"`) and the character NUL, and Python's parser hands both on; no
answer can be encoded with the first, and PostgreSQL keeps no text with the second. Once through the door
they would break whatever touches them, so they are looked for here, at the speed of the bytes.
"""

from __future__ import annotations

import codecs
import re

from starlette.types import Message, Receive

from servicekit.errors import InvalidBody

# Everything but: \\u0000, and a surrogate that is not one of a pair. Possessive, so linear in any body.
_WHOLE = re.compile(
    rb"(?:[^\\]++|\\[^u]|\\u(?!0000)(?![dD][89a-fA-F])[0-9a-fA-F]{4}"
    rb"|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})*+"
)
_UTF8 = codecs.getincrementaldecoder("utf-8")


class JsonText:
    """Watches one JSON body as it comes."""

    def __init__(self) -> None:
        self._decoder = _UTF8()
        self._chunks: list[bytes] = []
        self._escapes, self._end = False, b""

    def feed(self, chunk: bytes, *, last: bool) -> None:
        """Take the next piece; the last one decides.

        Raises:
            InvalidBody: not UTF-8, or it holds half a character or NUL.
        """
        try:
            self._decoder.decode(chunk, final=last)
        except UnicodeDecodeError as error:
            raise InvalidBody("The body is not UTF-8. JSON is sent in UTF-8.") from error
        if b"\x00" in chunk:
            raise InvalidBody("The body holds the character NUL, or is not UTF-8. JSON is sent in UTF-8.")
        self._chunks.append(chunk)
        self._escapes = self._escapes or b"\\u" in self._end + chunk
        self._end = chunk[-1:]
        if last and self._escapes and _WHOLE.fullmatch(b"".join(self._chunks)) is None:
            raise InvalidBody(
                "The body holds half a character (a surrogate without its pair) or the character NUL. Remove it."
            )


def check(body: bytes) -> None:
    """Check a whole body; see `JsonText.feed`."""
    JsonText().feed(body, last=True)


def is_json(content_type: str) -> bool:
    """Tell whether a body of this type is read as JSON; one of no type is."""
    return not content_type or "json" in content_type.lower()


def checked(receive: Receive, content_type: str) -> Receive:
    """Return `receive` that raises InvalidBody where a JSON body holds what is no text."""
    if not is_json(content_type):
        return receive
    text = JsonText()

    async def checking() -> Message:
        message = await receive()
        if message["type"] == "http.request":
            text.feed(message.get("body", b""), last=not message.get("more_body", False))
        return message

    return checking
