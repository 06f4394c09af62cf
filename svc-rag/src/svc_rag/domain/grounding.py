"""Checks an answer against the passages it was made from. A model's word is never taken for it.

Knows no store, no chat and no HTTP.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from svc_rag.domain.prompting import Passage
from svc_rag.words import content_words, fold, numbers

_MARK = re.compile(r"\[(\d{1,2})\]")
_SUPPORTED_SHARE = 0.75
_COPIED_SHARE = 0.8
_ADDED_MAX = 2
"""An answer that adds more words to a sentence says something of its own."""
_DENIAL = re.compile(
    r"\b(nao (tem|ha|encontr\w+|sei|contem|diz\w*|possuem?|mencion\w*|respond\w*|informa\w*|esta)"
    r"|(do|does|did) not (hold|contain|say|mention|have|answer|tell|include|provide)|(don't|doesn't) (hold|contain|say|"
    r"mention|have|tell|know)|no answer|not (found|in the passages|mentioned)|cannot (answer|find))\b"
)


@dataclass(frozen=True, slots=True)
class Grounded:
    """An answer whose content stands in the passages it cites (numbers from 1, in order of first use)."""

    answer: str
    cited: tuple[int, ...]


def denies(answer: str) -> bool:
    """Return whether the answer says that the passages do not hold it."""
    return bool(_DENIAL.search(fold(answer).replace("’", "'")))


def ground(question: str, answer: str, passages: Sequence[Passage]) -> Grounded | None:
    """Return the answer with its marks renumbered from 1, or None when it is not supported.

    Supported: it cites at least one passage; at least three quarters of its content words and all of
    its numbers stand in the cited passages (words of the question are free).
    """
    cited = tuple(dict.fromkeys(n for n in map(int, _MARK.findall(answer)) if 1 <= n <= len(passages)))
    bare = _MARK.sub(" ", answer)
    if not cited or not bare.strip():
        return None
    source = " ".join(passages[n - 1].text for n in cited)
    if not numbers(bare) <= numbers(source) | numbers(question):
        return None
    held = set(content_words(source))
    asked = set(content_words(question))
    said = [word for word in content_words(bare) if word not in asked]
    if not said and not (asked & held):
        return None
    if said and sum(word in held for word in said) < _SUPPORTED_SHARE * len(said):
        return None
    return Grounded(_renumber(answer, cited), cited)


def miscopies(question: str, answer: str, quote: str) -> bool:
    """Return whether an answer is a sentence of the document with a word in it that the sentence does not hold.

    A small model copies, and takes a word of the sentence beside along: "noventa dias úteis" of "sete dias úteis".
    """
    asked, held = set(content_words(question)), set(content_words(quote))
    said = content_words(_MARK.sub(" ", answer))
    added = set(said) - held - asked
    copied = len(held & set(said)) >= _COPIED_SHARE * len(held)
    return bool(added) and copied and len(said) <= len(content_words(quote)) + _ADDED_MAX


def _renumber(answer: str, cited: Sequence[int]) -> str:
    place = {str(n): index for index, n in enumerate(cited, 1)}
    marked = _MARK.sub(lambda m: f"[{place[m.group(1)]}]" if m.group(1) in place else "", answer)
    return re.sub(r"[ \t]{2,}", " ", marked).strip()
