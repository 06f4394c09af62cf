"""How a text is said, with its punctuation kept: what neural voices read instead of letters.

espeak-ng says words and drops the marks between them; voices pause and rise by those marks. Numbers are said whole:
`3,5` and `10:30` are not cut. The letters that Kokoro knows for two sounds in one (`A` for `e^ɪ`) are those of its own
frontend (`misaki.espeak`, Apache-2.0, version 0.9.4).
"""

from __future__ import annotations

import re
import unicodedata

from svc_tts.engine.espeak_library import TIE, EspeakLibrary

_MARK = re.compile(r"(\s*(?:(?<!\d)[.,:]|[.,:](?!\d)|[;!?¡¿—…\"“”«»()])+\s*)")
_PLAIN = str.maketrans({"«": "“", "»": "”", "–": "—", "¡": "", "¿": ""})
_BEHIND = (",", ".", ":", ";", "!", "?", "…")
"""Marks that stand right behind a word, also where French puts a space."""
_ENGLISH = (
    ("ʔˌn\u0329", "ʔn"), ("ʔn\u0329", "ʔn"), ("a^ɪ", "I"), ("a^ʊ", "W"), ("d^ʒ", "ʤ"), ("e^ɪ", "A"), ("e^ə", "ɛː"),
    ("t^ʃ", "ʧ"), ("ɔ^ɪ", "Y"), ("ə^l", "ᵊl"), ("ʲo", "jo"), ("ʲə", "jə"), ("ʲ", ""), ("ɚ", "əɹ"), ("r", "ɹ"),
    ("x", "k"), ("ç", "k"), ("ɐ", "ə"), ("ɬ", "l"), ("\u0303", ""), ("e", "A"),
)  # fmt: skip
_AMERICAN = (("o^ʊ", "O"), ("ɜːɹ", "ɜɹ"), ("ɜː", "ɜɹ"), ("ɪə", "iə"), ("ː", ""))
_BRITISH = (("ə^ʊ", "Q"), ("iə", "ɪə"))
_OTHERS = (
    ("a^ɪ", "I"), ("a^ʊ", "W"), ("d^z", "ʣ"), ("d^ʒ", "ʤ"), ("e^ɪ", "A"), ("o^ʊ", "O"), ("ə^ʊ", "Q"), ("s^s", "S"),
    ("t^s", "ʦ"), ("t^ʃ", "ʧ"), ("ɔ^ɪ", "Y"), ("-", ""),
)  # fmt: skip


def with_marks(text: str, voice: str, library: EspeakLibrary, *, tied: bool = False) -> str:
    """Return how espeak-ng's `voice` says `text`, each mark where it stood."""
    said = []
    for place, part in enumerate(_MARK.split(text)):
        if place % 2:
            mark = "".join(part.split()).translate(_PLAIN)
            lead = " " if part[:1].isspace() and mark[:1] not in _BEHIND else ""
            said.append(f"{lead}{mark}{' ' if part[-1:].isspace() else ''}")
        elif part.strip():
            said.append(library.phonemes(part, voice, tied=tied))
    return " ".join("".join(said).split())


def for_kokoro(text: str, voice: str, library: EspeakLibrary) -> str:
    """Return a text in Kokoro's phonemes."""
    said = with_marks(text, voice, library, tied=True)
    table = (*_ENGLISH, *(_BRITISH if voice == "en-gb" else _AMERICAN)) if voice.startswith("en") else _OTHERS
    for written, letter in table:
        said = said.replace(written, letter)
    return said.replace(TIE, "").replace("\u0329", "")


def for_piper(text: str, voice: str, library: EspeakLibrary) -> list[str]:
    """Return a text in the phonemes of Piper: accents stand apart from their letters."""
    return list(unicodedata.normalize("NFD", with_marks(text, voice, library)))
