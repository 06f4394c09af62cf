"""A pair of sentences that mean the same, and the joints of both languages: contractions and articles."""

from __future__ import annotations

from dataclasses import dataclass

_CONTRACTIONS = {
    ("de", "o"): "do", ("de", "a"): "da", ("de", "os"): "dos", ("de", "as"): "das",
    ("de", "este"): "deste", ("de", "esta"): "desta", ("de", "aquele"): "daquele", ("de", "aquela"): "daquela",
    ("em", "o"): "no", ("em", "a"): "na", ("em", "os"): "nos", ("em", "as"): "nas",
    ("em", "este"): "neste", ("em", "esta"): "nesta", ("em", "aquele"): "naquele", ("em", "aquela"): "naquela",
    ("a", "o"): "ao", ("a", "a"): "à", ("a", "os"): "aos", ("a", "as"): "às",
}  # fmt: skip


@dataclass(frozen=True)
class Pair:
    """One meaning in both languages; `person` is the verb form a subject takes (0 to 3)."""

    en: str
    pt: str
    person: int = 1
    form: int = 0
    direction: str = "="


def after(preposition: str, phrase: str) -> str:
    """Join a Portuguese preposition and a noun phrase, contracting as Portuguese does."""
    if not preposition:
        return phrase
    first, _, rest = phrase.partition(" ")
    joined = _CONTRACTIONS.get((preposition, first))
    return f"{joined} {rest}".rstrip() if joined else f"{preposition} {phrase}"


def an(words_after: str) -> str:
    """Return the English indefinite article with what follows it."""
    return f"{'an' if words_after[0] in 'aeiouAEIOU' else 'a'} {words_after}"
