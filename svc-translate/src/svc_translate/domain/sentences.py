"""Cuts a text into sentences and keeps everything between them.

Owns the rule where a sentence ends and the promise that joining all parts gives the text back,
character by character. Knows nothing about languages or models.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

MAX_SENTENCE_CHARS = 400
"""Longer sentences are cut at a comma or a space: models know 512 positions and would drop the rest."""

_ABBREVIATIONS = frozenset(
    [
        "mr",
        "mrs",
        "ms",
        "dr",
        "prof",
        "st",
        "jr",
        "vs",
        "etc",
        "e.g",
        "i.e",
        "no",
        "fig",
        "vol",
        "approx",
        "dept",
        "sr",
        "sra",
        "srs",
        "dra",
        "d",
        "profa",
        "exmo",
        "exma",
        "av",
        "pág",
        "p",
        "ex",
        "núm",
        "tel",
        "cap",
        "art",
        "obs",
        "ltda",
    ]
)
_BREAK = re.compile(r"[^\S\n]*\n\s*")
"""Line breaks with the blank around them, so that indentation survives."""
_END = re.compile(r"([.!?…]+)([\"'”’»)\]]*)(\s+)(?=(?:[—–-]\s?)?[\"'“‘«(\[¿¡]*[A-ZÀ-ÖØ-Þ0-9])")
_SOFT = re.compile(r"[,;:]\s+|\s+")


@dataclass(frozen=True)
class Part:
    """A stretch of the text: a sentence to translate, or a separator to keep as it is."""

    text: str
    is_sentence: bool


def split(text: str) -> tuple[Part, ...]:
    """Cut a text; `"".join(part.text for part in split(text)) == text` for every text.

    Sentences have a letter in them and no blank at either end.
    """
    parts: list[Part] = []
    start = 0
    for match in _BREAK.finditer(text):
        parts.extend(_line(text[start : match.start()]))
        parts.append(Part(match[0], is_sentence=False))
        start = match.end()
    parts.extend(_line(text[start:]))
    return tuple(part for part in parts if part.text)


def join(parts: tuple[Part, ...], translated: Mapping[str, str]) -> str:
    """Put translations in the places of their sentences."""
    return "".join(translated.get(p.text, p.text) if p.is_sentence else p.text for p in parts)


def _line(line: str) -> Iterator[Part]:
    start = 0
    for match in _END.finditer(line):
        if match[1] == "." and _is_abbreviation(line[start : match.start()]):
            continue
        yield from _sentence(line[start : match.end(2)])
        yield Part(match[3], is_sentence=False)
        start = match.end()
    yield from _sentence(line[start:])


def _is_abbreviation(before: str) -> bool:
    words = before.split()
    word = words[-1].lstrip("(\"'“«").lower() if words else ""
    return word in _ABBREVIATIONS or (len(word) == 1 and word.isalpha() and word not in "aeoi")


def _sentence(text: str) -> Iterator[Part]:
    """Yield a sentence with the blanks around it apart, cut where it is too long."""
    if not _has_letters(text):
        yield Part(text, is_sentence=False)
        return
    body = text.strip()
    lead = text.index(body)
    yield Part(text[:lead], is_sentence=False)
    while len(body) > MAX_SENTENCE_CHARS:
        end, resume = _cut(body)
        yield from _piece(body[:end])
        yield Part(body[end:resume], is_sentence=False)
        body = body[resume:]
    yield from _piece(body)
    yield Part(text[lead + len(text.strip()) :], is_sentence=False)


def _piece(text: str) -> Iterator[Part]:
    yield Part(text, is_sentence=_has_letters(text))


def _has_letters(text: str) -> bool:
    return any(char.isalpha() for char in text)


def _cut(body: str) -> tuple[int, int]:
    """Return where a long sentence is cut and where it goes on: after a comma in the second half, else
    at the last space, else anywhere."""
    spaces = list(_SOFT.finditer(body, 1, MAX_SENTENCE_CHARS))
    commas = [m for m in spaces if m[0][0] in ",;:" and m.start() > MAX_SENTENCE_CHARS // 2]
    if commas:
        return commas[-1].start() + 1, commas[-1].end()
    if spaces:
        best = spaces[-1]
        end = best.start() + (1 if best[0][0] in ",;:" else 0)
        return end, best.end()
    return MAX_SENTENCE_CHARS, MAX_SENTENCE_CHARS
