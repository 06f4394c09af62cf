"""Tells what a file is by its content, with its name as a hint. Opens no archive member."""

from __future__ import annotations

import zipfile
from pathlib import Path, PurePosixPath

from svc_rag.errors import DocumentUnreadable, DocumentUnsupported

PDF = "application/pdf"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
PPTX = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
HTML = "text/html"
MARKDOWN = "text/markdown"
CSV = "text/csv"
PLAIN = "text/plain"

MEDIA_TYPES = (PDF, DOCX, PPTX, XLSX, HTML, MARKDOWN, CSV, PLAIN)
EXTENSIONS = {
    ".pdf": PDF, ".docx": DOCX, ".pptx": PPTX, ".xlsx": XLSX, ".html": HTML, ".htm": HTML, ".xhtml": HTML,
    ".md": MARKDOWN, ".markdown": MARKDOWN, ".csv": CSV, ".tsv": CSV, ".txt": PLAIN, ".text": PLAIN, ".log": PLAIN,
}  # fmt: skip
_OFFICE_PARTS = {"word/document.xml": DOCX, "ppt/presentation.xml": PPTX, "xl/workbook.xml": XLSX}
_KINDS = "pdf, docx, pptx, xlsx, html, md, txt and csv"


def detect(path: Path, name: str, declared: str | None = None) -> str:
    """Return the media type of the file at `path`, which was uploaded as `name`.

    Raises: DocumentUnsupported, DocumentUnreadable (empty, or a broken Office file).
    """
    with path.open("rb") as file:
        head = file.read(8192)
    if not head:
        raise DocumentUnreadable("The file is empty.", param="file")
    if b"%PDF-" in head[:1024]:
        return PDF
    if head.startswith(b"PK\x03\x04"):
        return _office_type(path)
    if head.startswith(
        (b"PK", b"\xd0\xcf\x11\xe0", b"\x1f\x8b", b"Rar!", b"7z\xbc\xaf", b"\x7fELF", b"MZ\x90")
    ):
        raise DocumentUnsupported(f"This kind of file is not read; send {_KINDS}.", param="file")
    if not _looks_like_text(head):
        raise DocumentUnsupported(f"The file holds no text; send {_KINDS}.", param="file")
    return _text_type(head, name, declared)


def _office_type(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist()[:20_000])
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, EOFError) as exc:
        raise DocumentUnreadable("The Office file is damaged.", param="file") from exc
    for part, media_type in _OFFICE_PARTS.items():
        if part in names:
            return media_type
    raise DocumentUnsupported(f"Archives are not read; send {_KINDS}.", param="file")


def _looks_like_text(head: bytes) -> bool:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return True
    return b"\x00" not in head and sum(byte < 9 or 13 < byte < 32 for byte in head) <= len(head) // 50


def _text_type(head: bytes, name: str, declared: str | None) -> str:
    by_name = EXTENSIONS.get(PurePosixPath(name.replace("\\", "/")).suffix.lower())
    if by_name in (HTML, MARKDOWN, CSV, PLAIN):
        return by_name
    declared = (declared or "").split(";")[0].strip().lower()
    if declared in (HTML, MARKDOWN, CSV):
        return declared
    start = head.lstrip()[:200].lower()
    return HTML if start.startswith((b"<!doctype html", b"<html")) else PLAIN
