"""Sentences with exact spans, for Portuguese and English. Knows nothing about chunks or models.

A rule-based splitter, because a citation needs offsets and no model: a boundary is a terminal mark
followed by space and something that can open a sentence, a blank line, or a line that opens a list,
a heading or a table row.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

# Words that end in a full stop without ending the sentence (Portuguese and English).
_ABBREVIATIONS_TEXT = (
    "sr sra srs sras dr dra drs prof profa eng av art arts inc fig figs pág págs pag p pp ed etc ex vol cap n no nº "
    "núm tel séc obs ltda mr mrs ms st vs e.g i.e eg ie cf al jr no nos approx dept gen col rev jan fev mar "
    "abr mai jun jul ago set out nov dez feb apr may aug sep sept oct dec"
)
_ABBREVIATIONS = frozenset(_ABBREVIATIONS_TEXT.split())
# Of those, the ones that do end a sentence when a capital follows often enough.
_MAY_CLOSE = frozenset({"etc", "jr", "inc", "ltda", "no", "ex"})
_BREAK = re.compile(
    r"(?P<blank>\n[ \t]*\n\s*)"
    r"|(?P<line>\n(?=[ \t]*(?:[-*•–▪#|>]|\d{1,3}[.)]\s)))"
    r"|(?P<stop>[.!?…]+[\"'”’»)\]]*\s+)"
)
MOST_CHARS = 400
"""Of a question and its answer, together."""
_OPENER = re.compile(r"[\"'“‘«(\[¿¡\-–—*•#]*[^\W_a-zà-öø-ÿ]")


@dataclass(frozen=True, slots=True)
class Span:
    """A half-open span of characters."""

    start: int
    end: int

    def __len__(self) -> int:
        return self.end - self.start


def sentence_spans(text: str, start: int = 0, end: int | None = None) -> list[Span]:
    """Return the sentences of text[start:end] in order, without surrounding white space.

    Every character that is not white space lies in exactly one span.
    """
    limit = len(text) if end is None else end
    spans: list[Span] = []
    opened = start
    for boundary in _boundaries(text, start, limit):
        _append_trimmed(spans, text, opened, boundary)
        opened = boundary
    _append_trimmed(spans, text, opened, limit)
    return spans


def statement_spans(text: str) -> list[Span]:
    """Return the sentences of a text, each question together with what follows it, as far as MOST_CHARS go.

    A question that stands in a document answers nothing by itself, though it is most like what was asked.
    """
    spans: list[Span] = []
    for span in sentence_spans(text):
        before = spans[-1] if spans else None
        if before and text[before.end - 1] == "?" and span.end - before.start <= MOST_CHARS:
            spans[-1] = Span(before.start, span.end)
        else:
            spans.append(span)
    return spans


def _boundaries(text: str, start: int, end: int) -> Iterator[int]:
    for match in _BREAK.finditer(text, start, end):
        if match.lastgroup != "stop" or _closes(text, match, start, end):
            yield match.end()


def _closes(text: str, match: re.Match[str], start: int, end: int) -> bool:
    if "\n" in match.group() and text[match.end() - 1 : match.end()] == "\n":
        return True
    if match.end() >= end or not _OPENER.match(text, match.end(), end):
        return False
    if text[match.start()] != ".":
        return True
    word = re.search(r"[\w.]*$", text[max(start, match.start() - 12) : match.start()])
    before = word.group().lower() if word else ""
    if before in _ABBREVIATIONS:
        return before in _MAY_CLOSE
    return not (len(before) == 1 and before.isalpha())


def _append_trimmed(spans: list[Span], text: str, start: int, end: int) -> None:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    if start < end:
        spans.append(Span(start, end))
