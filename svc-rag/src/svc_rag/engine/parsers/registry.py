"""Which parser reads which media type. Imported by the child process alone: it loads the libraries."""

from __future__ import annotations

from pathlib import Path

from svc_rag.engine.base import ParsedDocument
from svc_rag.engine.parsers import media_types
from svc_rag.engine.parsers.limits import ParseLimits
from svc_rag.errors import DocumentUnsupported


def parse_in_this_process(path: Path, media_type: str, limits: ParseLimits) -> ParsedDocument:
    """Parse without isolation; a hostile file may use all memory, so only the child calls this."""
    if media_type == media_types.PDF:
        from svc_rag.engine.parsers.pdf import parse_pdf as parse
    elif media_type == media_types.DOCX:
        from svc_rag.engine.parsers.office import parse_docx as parse
    elif media_type == media_types.PPTX:
        from svc_rag.engine.parsers.office import parse_pptx as parse
    elif media_type == media_types.XLSX:
        from svc_rag.engine.parsers.tables import parse_xlsx as parse
    elif media_type == media_types.CSV:
        from svc_rag.engine.parsers.tables import parse_csv as parse
    elif media_type == media_types.HTML:
        from svc_rag.engine.parsers.plain import parse_html as parse
    elif media_type == media_types.MARKDOWN:
        from svc_rag.engine.parsers.plain import parse_markdown as parse
    elif media_type == media_types.PLAIN:
        from svc_rag.engine.parsers.plain import parse_text as parse
    else:
        raise DocumentUnsupported(f"{media_type} is not read.", param="file")
    return parse(path, limits)


def probe_in_this_process(path: Path, media_type: str, limits: ParseLimits) -> None:
    """Look for encryption and counts over the limits without reading the text."""
    if media_type == media_types.PDF:
        from svc_rag.engine.parsers.pdf import probe_pdf

        probe_pdf(path, limits)
    else:
        from svc_rag.engine.parsers.archive_guard import check_archive

        check_archive(path, limits)
