"""Makes text that a parser found safe to keep, and joins pages into one text with spans.

Knows nothing about any file format.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from svc_rag.engine.base import Page, ParsedDocument
from svc_rag.engine.parsers.limits import ParseLimits
from svc_rag.errors import DocumentTooComplex, DocumentUnreadable

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f\u200b\ufeff\ufffe\uffff]")
_NEWLINES = re.compile(r"\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_MANY_BLANK = re.compile(r"\n[ \t]*(?:\n[ \t]*){2,}")


def clean(text: str) -> str:
    """Return text without control characters and lone surrogates, with `\\n` line ends."""
    text = _CONTROL.sub("", _NEWLINES.sub("\n", text))
    text = text.encode("utf-8", "replace").decode("utf-8")
    return _MANY_BLANK.sub("\n\n", text).strip()


def join_pages(title: str, pages: Iterable[str], limits: ParseLimits) -> ParsedDocument:
    """Join pages with a blank line between them; stops reading at the limits.

    Raises: DocumentTooComplex over max_pages or max_chars; DocumentUnreadable when there is no text.
    """
    parts: list[str] = []
    spans: list[Page] = []
    position = 0
    for number, raw in enumerate(pages, start=1):
        if number > limits.max_pages:
            raise DocumentTooComplex(f"The document has more than {limits.max_pages} pages; split it.")
        text = clean(raw)
        spans.append(Page(number, position, position + len(text)))
        parts.append(text)
        position += len(text) + 2
        if position > limits.max_chars:
            raise DocumentTooComplex(f"The document holds more than {limits.max_chars} characters; split it.")
    joined = "\n\n".join(parts)
    if not joined.strip():
        raise DocumentUnreadable(
            "The document holds no text (a scan needs text recognition first).", param="file"
        )
    return ParsedDocument(clean(title)[:300].replace("\n", " "), joined, tuple(spans))
