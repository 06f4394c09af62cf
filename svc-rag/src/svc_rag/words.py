"""Words of Portuguese and English text as search compares them. Knows nothing about stores."""

from __future__ import annotations

import re
import unicodedata
from typing import Literal

Language = Literal["pt", "en"]

_TOKEN = re.compile(r"[^\W_]+")
_NUMBER = re.compile(r"\d+(?:[.,:/]\d+)*")
_STOP_PT_TEXT = (
    "a à ao aos as às o os um uma uns umas de do da dos das em no na nos nas por pelo pela pelos pelas para com sem "
    "sob sobre entre até e ou mas se que quem qual quais quando quanto quanta quantos quantas onde como porque é são "
    "era eram foi foram ser sendo sido está estão estava estar tem têm tinha ter há havia esse essa esses essas este "
    "esta estes estas isso isto aquele aquela ele ela eles elas eu tu você vocês nós me te lhe lhes nosso nossa seu "
    "sua seus suas meu minha não sim já também muito mais menos só ainda depois antes então num numa dele dela deles "
    "delas neste nesta nesse nessa cada fica ficam diz dizem segundo trecho trechos"
)
_STOP_PT = frozenset(_STOP_PT_TEXT.split())
_STOP_EN_TEXT = (
    "a an the of in on at by for with without to from into over under between and or but if that which who whom whose "
    "what when where why how is are was were be been being am do does did done have has had having it its this these "
    "those he she they them his her their i you we me us my your our not no yes so than then there here as about up "
    "down out can could will would should may might must also just only very more most some any each s t many much "
    "according passage passages says"
)
_STOP_EN = frozenset(_STOP_EN_TEXT.split())
_ONLY_PT = (_STOP_PT - _STOP_EN) | {"qual", "quais"}
_ONLY_EN = _STOP_EN - _STOP_PT


def fold(text: str) -> str:
    """Return lower-case text without diacritics, as the stores' tokenizers compare it."""
    decomposed = unicodedata.normalize("NFKD", text.lower())
    return "".join(character for character in decomposed if not unicodedata.combining(character))


_STOP = frozenset(fold(word) for word in _STOP_PT | _STOP_EN)


def tokens(text: str) -> list[str]:
    """Return the folded words of `text` in order."""
    return _TOKEN.findall(fold(text))


def content_words(text: str) -> list[str]:
    """Return the words that carry meaning, cut to a common stem (both languages, lightly)."""
    return [stem(word) for word in tokens(text) if word not in _STOP]


def stem(word: str) -> str:
    """Cut plural and verb endings; six letters tell Portuguese and English words apart well enough."""
    if word.isdigit() or len(word) <= 3:
        return word
    for ending in ("ing", "mente", "ed", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word[: -len(ending)]
            break
    if len(word) > 3 and word[-1] in "aeo":
        word = word[:-1]
    return word[:6]


def numbers(text: str) -> set[str]:
    """Return the numbers in `text` as digits alone, so that 1,488,920 and 1.488.920 are equal."""
    return {re.sub(r"\D", "", number) for number in _NUMBER.findall(text)}


def language_of(text: str) -> Language:
    """Return the language of a short text; English when nothing tells."""
    words = re.findall(r"[^\W\d_]+", text.lower())
    portuguese = sum(word in _ONLY_PT for word in words)
    portuguese += sum(any(c in "ãõçáéíóúâêôà" for c in word) for word in words)
    portuguese += sum(word.endswith(("ção", "ões", "dade", "mente", "inho", "inha")) for word in words)
    english = sum(word in _ONLY_EN for word in words)
    return "pt" if portuguese > english else "en"
