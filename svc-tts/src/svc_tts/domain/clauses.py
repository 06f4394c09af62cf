"""Splits a text into pieces that are spoken one after another, so that sound starts early. Pure."""

from __future__ import annotations

import re

FIRST_CHARS = 60
"""The first piece is at most this long: its sound is what the listener waits for."""
PIECE_CHARS = 200
_SENTENCE = re.compile(r"(?<=[.!?…;:])\s+|\n+")
_CLAUSE = re.compile(r"(?<=[,;:–—])\s+")


def clauses(text: str) -> list[str]:
    """Return the pieces of `text` in order; together they hold every word of it."""
    pieces: list[str] = []
    for sentence in (s.strip() for s in _SENTENCE.split(text)):
        if sentence:
            pieces.extend(_within(sentence, PIECE_CHARS))
    if pieces and len(pieces[0]) > FIRST_CHARS:
        pieces[:1] = _cut_first(pieces[0])
    return pieces


def _within(sentence: str, limit: int) -> list[str]:
    """Cut a sentence at clauses, or at words where a clause is too long."""
    if len(sentence) <= limit:
        return [sentence]
    pieces: list[str] = []
    current = ""
    for part in _CLAUSE.split(sentence):
        for bit in _words(part, limit):
            if current and len(current) + 1 + len(bit) > limit:
                pieces.append(current)
                current = bit
            else:
                current = f"{current} {bit}".strip()
    return [*pieces, current] if current else pieces


def _words(part: str, limit: int) -> list[str]:
    if len(part) <= limit:
        return [part]
    lines: list[str] = []
    current = ""
    for word in part.split():
        while len(word) > limit:  # a word without end, such as a long number or address
            lines.extend([current] if current else [])
            current, word, head = "", word[limit:], word[:limit]
            lines.append(head)
        if current and len(current) + 1 + len(word) > limit:
            lines.append(current)
            current = word
        else:
            current = f"{current} {word}".strip()
    return [*lines, current] if current else lines


def _cut_first(piece: str) -> list[str]:
    parts = _within(piece, FIRST_CHARS)
    rest = piece[len(parts[0]) :].strip()
    return [parts[0], rest] if rest and piece.startswith(parts[0]) else [piece]
