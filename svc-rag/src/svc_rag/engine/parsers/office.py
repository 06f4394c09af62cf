"""Word and PowerPoint files by python-docx and python-pptx; checked by archive_guard before."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docx import Document as open_docx
from docx.table import Table
from pptx import Presentation

from svc_rag.engine.base import ParsedDocument
from svc_rag.engine.parsers.archive_guard import check_archive
from svc_rag.engine.parsers.limits import ParseLimits
from svc_rag.engine.parsers.tables import row_text
from svc_rag.engine.parsers.text_cleaning import join_pages
from svc_rag.errors import DocumentUnreadable


def parse_docx(path: Path, limits: ParseLimits) -> ParsedDocument:
    """Read paragraphs and tables in order; Word keeps no pages, so all is page 1."""
    check_archive(path, limits)
    try:
        document = open_docx(str(path))
        title = document.core_properties.title or ""
        return join_pages(title, ["\n\n".join(_docx_blocks(document))], limits)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, OSError, SyntaxError) as exc:
        raise DocumentUnreadable("The Word file is damaged.", param="file") from exc


def _docx_blocks(document: Any) -> Iterator[str]:
    for block in document.iter_inner_content():
        if isinstance(block, Table):
            yield from _table_rows([cell.text for cell in row.cells] for row in block.rows)
        elif block.text.strip():
            yield block.text


def parse_pptx(path: Path, limits: ParseLimits) -> ParsedDocument:
    """Read the text of every slide, its tables and notes; a slide is a page."""
    check_archive(path, limits)
    try:
        presentation = Presentation(str(path))
        slides = ("\n\n".join(_slide_blocks(slide)) for slide in presentation.slides)
        return join_pages(presentation.core_properties.title or "", slides, limits)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, OSError, SyntaxError) as exc:
        raise DocumentUnreadable("The PowerPoint file is damaged.", param="file") from exc


def _slide_blocks(slide: Any) -> Iterator[str]:
    for shape in _flat(slide.shapes):
        if shape.has_text_frame and shape.text_frame.text.strip():
            yield shape.text_frame.text
        elif getattr(shape, "has_table", False):
            yield from _table_rows([cell.text for cell in row.cells] for row in shape.table.rows)
    if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
        yield slide.notes_slide.notes_text_frame.text


def _flat(shapes: Any, depth: int = 0) -> Iterator[Any]:
    for shape in shapes:
        if hasattr(shape, "shapes") and depth < 8:
            yield from _flat(shape.shapes, depth + 1)
        else:
            yield shape


def _table_rows(rows: Any) -> Iterator[str]:
    header: list[str] | None = None
    for cells in rows:
        if header is None:
            header = cells
            yield " | ".join(cells)
        elif text := row_text(header, cells):
            yield text
