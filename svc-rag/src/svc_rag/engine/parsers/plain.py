"""Plain text, Markdown and HTML. HTML loses scripts, styles and markup; nothing is fetched."""

from __future__ import annotations

import re
from pathlib import Path

from bs4 import BeautifulSoup
from bs4.element import Comment, NavigableString, Tag

from svc_rag.engine.base import ParsedDocument
from svc_rag.engine.parsers.limits import ParseLimits
from svc_rag.engine.parsers.text_cleaning import join_pages
from svc_rag.errors import DocumentUnreadable

_BLOCKS_TEXT = (
    "address article aside blockquote body caption dd details div dl dt fieldset figcaption figure footer form h1 h2 "
    "h3 h4 h5 h6 header hr li main nav ol p pre section summary table tbody tfoot thead tr ul"
)
_BLOCKS = frozenset(_BLOCKS_TEXT.split())
_UNREAD = ("script", "style", "noscript", "template", "svg", "iframe", "object", "head")
_HEADING = re.compile(r"^#{1,3}\s+(.{1,200}?)\s*#*$", re.MULTILINE)


def read_text(path: Path) -> str:
    """Return the file's text: UTF-8, UTF-16 by its mark, else Windows-1252."""
    raw = path.read_bytes()
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return raw.decode("utf-16", "replace")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        # Guessing encodings of short Latin texts errs; Western European is what our users have.
        return raw.decode("cp1252", "replace")


def parse_text(path: Path, limits: ParseLimits) -> ParsedDocument:
    """Read plain text; form feeds separate pages."""
    return join_pages("", read_text(path).split("\f"), limits)


def parse_markdown(path: Path, limits: ParseLimits) -> ParsedDocument:
    """Keep Markdown as written; its first heading is the title."""
    text = read_text(path)
    heading = _HEADING.search(text)
    return join_pages(heading.group(1) if heading else "", [text], limits)


def parse_html(path: Path, limits: ParseLimits) -> ParsedDocument:
    """Read what a page shows, block by block."""
    try:
        soup = BeautifulSoup(path.read_bytes(), "lxml")
        title = soup.title.get_text(" ", strip=True) if soup.title else ""
        for unread in soup(_UNREAD):
            unread.decompose()
        return join_pages(title, [_block_text(soup)], limits)
    except (ValueError, TypeError, AttributeError, RecursionError, AssertionError) as exc:
        raise DocumentUnreadable("The HTML page cannot be read.", param="file") from exc


def _block_text(soup: BeautifulSoup) -> str:
    """Join text with a blank line where a block begins or ends and one space elsewhere."""
    lines: list[str] = []
    words: list[str] = []

    def end_line() -> None:
        line = " ".join("".join(words).split())
        if line:
            lines.append(line)
        words.clear()

    # An explicit stack: hostile pages nest deeper than Python recurses.
    stack: list[Tag | NavigableString | None] = [soup]
    while stack:
        node = stack.pop()
        if node is None:
            end_line()
        elif isinstance(node, Tag):
            if node.name in _BLOCKS or node.name == "br":
                end_line()
                stack.append(None)
            elif node.name in ("td", "th"):
                words.append(" | " if words else "")
            stack.extend(reversed(node.contents))  # type: ignore[arg-type]
        elif not isinstance(node, Comment) and type(node) is NavigableString:
            words.append(str(node))
    end_line()
    return "\n\n".join(lines)
