"""Cuts a document into overlapping chunks with exact spans. Knows nothing about storage or models.

Whole sentences are packed up to `max_chars`; a chunk never crosses a page, so that a citation names
one page. The same text always gives the same chunks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from svc_rag.domain.sentences import Span, sentence_spans
from svc_rag.engine.base import Chunk, Page


@dataclass(frozen=True, slots=True)
class ChunkSizes:
    """Sizes in characters. 900 keeps a chunk within the 256 tokens that MiniLM reads."""

    max_chars: int = 900
    overlap_chars: int = 150

    def __post_init__(self) -> None:
        if self.max_chars < 16 or not 0 <= self.overlap_chars <= self.max_chars // 2:
            raise ValueError(
                f"overlap {self.overlap_chars} must be at most half of max_chars {self.max_chars} (≥ 16)"
            )


def chunk_document(text: str, pages: Sequence[Page], sizes: ChunkSizes | None = None) -> list[Chunk]:
    """Return the chunks in order; every character that is not white space lies in at least one."""
    sizes = sizes or ChunkSizes()
    chunks: list[Chunk] = []
    for page in pages or (Page(1, 0, len(text)),):
        units = [
            piece
            for sentence in sentence_spans(text, page.start, page.end)
            for piece in _pieces(text, sentence, sizes.max_chars)
        ]
        for span in _pack(units, sizes):
            chunks.append(Chunk(len(chunks), text[span.start : span.end], span.start, span.end, page.page))
    return chunks


def _pieces(text: str, sentence: Span, max_chars: int) -> list[Span]:
    """Cut a sentence longer than max_chars at white space, or hard where there is none."""
    pieces: list[Span] = []
    start = sentence.start
    while sentence.end - start > max_chars:
        cut = _last_space(text, start + max_chars // 2, start + max_chars)
        pieces.append(Span(start, cut))
        start = cut
        while start < sentence.end and text[start].isspace():
            start += 1
    pieces.append(Span(start, sentence.end))
    return [piece for piece in (_rstrip(text, piece) for piece in pieces) if len(piece)]


def _last_space(text: str, low: int, high: int) -> int:
    for position in range(high, low, -1):
        if text[position].isspace():
            return position
    return high


def _rstrip(text: str, span: Span) -> Span:
    end = span.end
    while end > span.start and text[end - 1].isspace():
        end -= 1
    return Span(span.start, end)


def _pack(units: Sequence[Span], sizes: ChunkSizes) -> list[Span]:
    """Greedily pack units; a new chunk repeats the last units of the one before, up to the overlap."""
    packed: list[Span] = []
    first = 0
    for index, unit in enumerate(units):
        if unit.end - units[first].start > sizes.max_chars:
            packed.append(Span(units[first].start, units[index - 1].end))
            first = _overlap_from(units, first, index, sizes)
    if units:
        packed.append(Span(units[first].start, units[-1].end))
    return packed


def _overlap_from(units: Sequence[Span], first: int, index: int, sizes: ChunkSizes) -> int:
    """Return where the next chunk begins: as far back from `index` as the overlap and size allow."""
    begin = index
    while begin - 1 > first:
        candidate = units[begin - 1].start
        if units[index - 1].end - candidate > sizes.overlap_chars:
            break
        if units[index].end - candidate > sizes.max_chars:
            break
        begin -= 1
    return begin
