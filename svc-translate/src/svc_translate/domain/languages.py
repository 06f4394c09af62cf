"""Names of languages, and which language a text is in.

Owns the codes that callers may send, and how a statistical guess and small common words are weighed.
Knows nothing about the detector's library (it gets an `engine.base.Detector`).
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from svc_translate.engine.base import Detector, WideDetector
from svc_translate.engine.language_codes import short
from svc_translate.errors import UnknownLanguage

NAMES = dict(
    pair.split(":")
    for pair in [
        "af:Afrikaans",
        "am:Amharic",
        "ar:Arabic",
        "ast:Asturian",
        "az:Azerbaijani",
        "ba:Bashkir",
        "be:Belarusian",
        "bg:Bulgarian",
        "bn:Bengali",
        "br:Breton",
        "bs:Bosnian",
        "ca:Catalan",
        "ceb:Cebuano",
        "cs:Czech",
        "cy:Welsh",
        "da:Danish",
        "de:German",
        "el:Greek",
        "en:English",
        "eo:Esperanto",
        "es:Spanish",
        "et:Estonian",
        "eu:Basque",
        "fa:Persian",
        "ff:Fulah",
        "fi:Finnish",
        "fr:French",
        "fy:Frisian",
        "ga:Irish",
        "gl:Galician",
        "gn:Guarani",
        "gu:Gujarati",
        "ha:Hausa",
        "he:Hebrew",
        "hi:Hindi",
        "hr:Croatian",
        "ht:Haitian",
        "hu:Hungarian",
        "hy:Armenian",
        "id:Indonesian",
        "ig:Igbo",
        "is:Icelandic",
        "it:Italian",
        "ja:Japanese",
        "jv:Javanese",
        "ka:Georgian",
        "kk:Kazakh",
        "km:Khmer",
        "kn:Kannada",
        "ko:Korean",
        "ku:Kurdish",
        "ky:Kyrgyz",
        "lb:Luxembourgish",
        "lg:Ganda",
        "ln:Lingala",
        "lo:Lao",
        "lt:Lithuanian",
        "lv:Latvian",
        "mg:Malagasy",
        "mi:Maori",
        "mk:Macedonian",
        "ml:Malayalam",
        "mn:Mongolian",
        "mr:Marathi",
        "ms:Malay",
        "mt:Maltese",
        "my:Burmese",
        "nb:Bokmål",
        "ne:Nepali",
        "nl:Dutch",
        "nn:Nynorsk",
        "no:Norwegian",
        "oc:Occitan",
        "or:Odia",
        "pa:Punjabi",
        "pl:Polish",
        "ps:Pashto",
        "pt:Portuguese",
        "qu:Quechua",
        "ro:Romanian",
        "ru:Russian",
        "sd:Sindhi",
        "si:Sinhala",
        "sk:Slovak",
        "sl:Slovenian",
        "so:Somali",
        "sq:Albanian",
        "sr:Serbian",
        "su:Sundanese",
        "sv:Swedish",
        "sw:Swahili",
        "ta:Tamil",
        "te:Telugu",
        "tg:Tajik",
        "th:Thai",
        "tl:Tagalog",
        "tr:Turkish",
        "uk:Ukrainian",
        "ur:Urdu",
        "uz:Uzbek",
        "vi:Vietnamese",
        "wo:Wolof",
        "xh:Xhosa",
        "yi:Yiddish",
        "yo:Yoruba",
        "zh:Chinese",
        "zu:Zulu",
    ]
)
"""What LibreTranslate's clients show; the page names languages itself."""
_SAME = {"pb": "pt", "pob": "pt", "fre": "fr", "ger": "de", "iw": "he", "fil": "tl", "in": "id", "ji": "yi"}
_NEAR = {"no": "nb", "nb": "no", "nn": "no"}
"""What a model calls Norwegian, if not what the caller does."""
_REGIONS = {"zh-tw": "zh-hant", "zh-hk": "zh-hant", "zh-mo": "zh-hant"}

# Words that only one of the four languages writes so; statistics fail on texts of two or three words.
_HINTS = {
    "pt": "um uma os do da dos das em na nos nas ao à às é são com não sim você eu ele ela meu minha "
    "sobre fundo círculo circulo quadrado triângulo estrela anel losango vermelho vermelha verde "
    "amarelo amarela branco branca preto preta roxo roxa laranja cinza grande pequeno pequena dois "
    "duas olá oi obrigado obrigada bom boa dia tarde noite por favor tudo bem qual onde quando como está "
    "isto isso esta este acima abaixo direita esquerda lado há desenhe mostre e o azul azuis três "
    "círculos quadrados triângulos estrelas anéis losangos casa gato cachorro alto parte",
    "en": "the an of on in with and is are to not yes you i he she it my your what where when how this that "
    "red blue green yellow black white orange purple grey gray circle square triangle star ring diamond "
    "circles squares triangles stars rings diamonds big large small two three background picture "
    "hello hi thanks thank please good morning night above below left right side there draw show",
    "es": "el los las un una y en del con es por qué cómo está sobre círculo cuadrado triángulo estrella "
    "rojo roja azul verde amarillo blanco negro grande pequeño dos tres hola gracias buenos días yo usted",
    "fr": "le la les un une des et est avec sur dans je vous il elle rouge bleu vert jaune noir blanc "
    "cercle carré étoile bonjour merci fond deux trois",
}
_WORDS = {code: frozenset(words.split()) for code, words in _HINTS.items()}
_OWNERS = Counter(word for words in _WORDS.values() for word in words)
"""In how many languages a hint stands: "azul" tells less than "um"."""
_MARKS = {"pt": "ãõ", "es": "ñ¿¡", "fr": "èêëœùîï"}
_PRIOR = {"es": 0.8, "fr": 0.8}
"""English and Portuguese are what callers of this service write; a tie goes to them."""
_WORD = re.compile(r"[^\W\d_]+")
_LETTERS_FOR_STATISTICS = 120
"""From about this many letters on, statistics alone are right; below, hints weigh in."""


_SURE = 0.8
"""Share from which the wide detector is believed about a text in Latin letters. Measured 2026-11-27 on thirteen
sentences in Portuguese, English, Spanish and French: none gives another language so much."""
_NEIGHBOURS = frozenset({"gl", "ast", "oc", "ca", "an"})
"""Languages so near to Portuguese and Spanish that a text counts as theirs."""


@dataclass(frozen=True)
class Detected:
    """A language and how sure the guess is, from 0 to 1."""

    language: str
    confidence: float


def normalise(code: str, known: frozenset[str], *, param: str) -> str:
    """Return the code of `known` that a caller means: `pt-BR`, `pt_BR`, `pb` and `por_Latn` are `pt`.

    Raises:
        UnknownLanguage: no model here speaks it.
    """
    asked = code.strip().lower().replace("_", "-")
    asked = _REGIONS.get(asked, asked)
    first, _, rest = asked.partition("-")
    first = short(_SAME.get(first, first))
    by_name = {name.lower(): name for name in known}
    for wanted in (f"{first}-{rest}", first, _NEAR.get(first, first)):
        if wanted in by_name:
            return by_name[wanted]
    there = ", ".join(sorted(known)) or "none"
    raise UnknownLanguage(
        f"The language '{code[:40]}' is not known here. Languages that are: {there}.", param=param
    )


def detect(text: str, detector: Detector) -> list[Detected]:
    """Rank the languages a text may be in, the likeliest first; empty if it holds no letters."""
    words = _WORD.findall(text.lower())
    if not words:
        return []
    guess = dict(detector.confidences(text))
    hints = {code: _hint(text.lower(), words, code) for code in guess}
    total = sum(hints.values())
    letters = sum(len(word) for word in words)
    # Half and half for a word or two, the statistics alone for a paragraph.
    weight = 0.75 * max(0.0, 1 - letters / _LETTERS_FOR_STATISTICS) if total else 0.0
    shares = {
        code: _PRIOR.get(code, 1.0) * ((1 - weight) * value + weight * (hints[code] / total if total else 0))
        for code, value in guess.items()
    }
    whole = sum(shares.values()) or 1.0
    shares = {code: share / whole for code, share in shares.items()}
    ranked = sorted(shares.items(), key=lambda item: (-item[1], item[0]))
    return [Detected(code, round(share, 4)) for code, share in ranked]


def beyond(text: str, detector: WideDetector, known: frozenset[str]) -> Detected | None:
    """Return the language of a text in none of the four that `detect` weighs, if it surely is one of `known`.

    Lingua would take German for English. The wide detector is less sure of texts of a word or two, and takes neighbours
    of Portuguese for it: only a clear answer counts, and one in another script than ours.
    """
    others = known - set(_HINTS) - _NEIGHBOURS
    letters = [char for char in text if char.isalpha()]
    if not others or not letters:
        return None
    foreign = sum(char > "\u024f" for char in letters) > len(letters) / 2
    for code, share in detector.ranked(text):
        if code in known and (code in others or not foreign):
            sure = foreign or share >= _SURE
            return Detected(code, round(share, 4)) if code in others and sure else None
    return None


def _hint(text: str, words: list[str], code: str) -> float:
    if code not in _WORDS:
        return 0.0
    marks = sum(text.count(mark) for mark in _MARKS.get(code, ""))
    return sum(1 / _OWNERS[word] ** 2 for word in words if word in _WORDS[code]) + 2.0 * marks
