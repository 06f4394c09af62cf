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


def parse_pdf(path: Path, limits: ParseLimits) -> ParsedDocument:
    """Read every page's text; a PDF that opens with the empty password counts as open."""
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    try:
        reader = PdfReader(path, strict=False)
        if reader.is_encrypted and not reader.decrypt(""):
            raise DocumentEncrypted("The PDF is encrypted; save it without a password.", param="file")
        if len(reader.pages) > limits.max_pages:
            raise DocumentTooComplex(f"The PDF has {len(reader.pages)} pages; at most {limits.max_pages} are read.")
        title = _title(reader)
        return join_pages(title, _pages(reader), limits)
    except (PyPdfError, ValueError, KeyError, TypeError, AttributeError, IndexError, OSError, RecursionError) as exc:
        raise DocumentUnreadable("The PDF is damaged.", param="file") from exc


def _pages(reader: PdfReader) -> Iterator[str]:
    for page in reader.pages:
        yield page.extract_text()


def _title(reader: PdfReader) -> str:
    try:
        return str((reader.metadata and reader.metadata.title) or "")
    except (PyPdfError, ValueError, KeyError, TypeError, AttributeError):
        return ""
