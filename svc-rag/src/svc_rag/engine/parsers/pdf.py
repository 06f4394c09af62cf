"""PDF by pypdf, page by page."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

from pypdf import PdfReader
from pypdf.errors import PyPdfError

from svc_rag.engine.base import ParsedDocument
from svc_rag.engine.parsers.limits import ParseLimits
from svc_rag.engine.parsers.text_cleaning import join_pages
from svc_rag.errors import DocumentEncrypted, DocumentTooComplex, DocumentUnreadable

# What pypdf raises on damaged files, by experience: it was written for good ones.
_DAMAGE = (PyPdfError, ValueError, KeyError, TypeError, AttributeError, IndexError, OSError, RecursionError)


def parse_pdf(path: Path, limits: ParseLimits) -> ParsedDocument:
    """Read every page's text; a PDF that opens with the empty password counts as open."""
    try:
        reader = _open(path, limits)
        return join_pages(_title(reader), _pages(reader), limits)
    except _DAMAGE as exc:
        raise DocumentUnreadable("The PDF is damaged.", param="file") from exc


def probe_pdf(path: Path, limits: ParseLimits) -> None:
    """Raise DocumentEncrypted, DocumentTooComplex or DocumentUnreadable where parsing surely would."""
    try:
        _open(path, limits)
    except _DAMAGE as exc:
        raise DocumentUnreadable("The PDF is damaged.", param="file") from exc


def _open(path: Path, limits: ParseLimits) -> PdfReader:
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    reader = PdfReader(path, strict=False)
    if reader.is_encrypted and not reader.decrypt(""):
        raise DocumentEncrypted("The PDF is encrypted; save it without a password.", param="file")
    if len(reader.pages) > limits.max_pages:
        raise DocumentTooComplex(
            f"The PDF has {len(reader.pages)} pages; at most {limits.max_pages} are read."
        )
    return reader


def _pages(reader: PdfReader) -> Iterator[str]:
    for page in reader.pages:
        yield page.extract_text()


def _title(reader: PdfReader) -> str:
    try:
        return str((reader.metadata and reader.metadata.title) or "")
    except (PyPdfError, ValueError, KeyError, TypeError, AttributeError):
        return ""
