"""Which language a model's own token stands for: `__pt__` and `por_Latn` are `pt`.

Owns the table of codes of two letters (ISO 639-1) for those of three (ISO 639-3) that NLLB writes with a script behind
them. A language written in two scripts has its plain code for the usual one, and for the other one a code such as
`zh-Hant`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_M2M100 = re.compile(r"__([a-z]{2,3})__")
_NLLB = re.compile(r"([a-z]{3})_([A-Z][a-z]{3})")

# ISO 639-3 (FLORES-200's choice among a macrolanguage's members) and ISO 639-1.
_SHORT = dict(
    pair.split(":")
    for pair in [
        "afr:af",
        "aka:ak",
        "amh:am",
        "arb:ar",
        "asm:as",
        "ayr:ay",
        "azj:az",
        "bak:ba",
        "bam:bm",
        "bel:be",
        "bod:bo",
        "bos:bs",
        "bul:bg",
        "ben:bn",
        "cat:ca",
        "ces:cs",
        "cym:cy",
        "dan:da",
        "deu:de",
        "dzo:dz",
        "ell:el",
        "eng:en",
        "epo:eo",
        "est:et",
        "eus:eu",
        "ewe:ee",
        "fao:fo",
        "pes:fa",
        "fij:fj",
        "fin:fi",
        "fra:fr",
        "fuv:ff",
        "gla:gd",
        "gle:ga",
        "glg:gl",
        "grn:gn",
        "guj:gu",
        "hat:ht",
        "hau:ha",
        "heb:he",
        "hin:hi",
        "hrv:hr",
        "hun:hu",
        "hye:hy",
        "ibo:ig",
        "ind:id",
        "isl:is",
        "ita:it",
        "jav:jv",
        "jpn:ja",
        "kan:kn",
        "kas:ks",
        "kat:ka",
        "kaz:kk",
        "khm:km",
        "kik:ki",
        "kin:rw",
        "kir:ky",
        "kon:kg",
        "kor:ko",
        "kmr:ku",
        "lao:lo",
        "lvs:lv",
        "lim:li",
        "lin:ln",
        "lit:lt",
        "ltz:lb",
        "lug:lg",
        "mal:ml",
        "mar:mr",
        "mkd:mk",
        "plt:mg",
        "mlt:mt",
        "khk:mn",
        "mri:mi",
        "zsm:ms",
        "mya:my",
        "nld:nl",
        "nno:nn",
        "nob:no",
        "npi:ne",
        "nya:ny",
        "oci:oc",
        "gaz:om",
        "ory:or",
        "pan:pa",
        "pol:pl",
        "por:pt",
        "pbt:ps",
        "quy:qu",
        "ron:ro",
        "run:rn",
        "rus:ru",
        "sag:sg",
        "san:sa",
        "sin:si",
        "slk:sk",
        "slv:sl",
        "smo:sm",
        "sna:sn",
        "snd:sd",
        "som:so",
        "sot:st",
        "spa:es",
        "als:sq",
        "srd:sc",
        "srp:sr",
        "ssw:ss",
        "sun:su",
        "swe:sv",
        "swh:sw",
        "tam:ta",
        "tat:tt",
        "tel:te",
        "tgk:tg",
        "tgl:tl",
        "tha:th",
        "tir:ti",
        "tsn:tn",
        "tso:ts",
        "tuk:tk",
        "tur:tr",
        "twi:tw",
        "uig:ug",
        "ukr:uk",
        "urd:ur",
        "uzn:uz",
        "vie:vi",
        "wol:wo",
        "xho:xh",
        "ydd:yi",
        "yor:yo",
        "zho:zh",
        "zul:zu",
    ]
)
_USUAL = {"ace": "Latn", "bjn": "Latn", "knc": "Latn", "min": "Latn"}
"""The usual script where it is not the one that NLLB lists first."""


def languages_in(tokens: Iterable[str]) -> dict[str, str]:
    """Return a code for each language token of a vocabulary, and the token: `{"pt": "por_Latn", …}`."""
    found: dict[str, str] = {}
    for token in tokens:
        if match := _M2M100.fullmatch(token):
            found.setdefault(match[1], token)
        elif match := _NLLB.fullmatch(token):
            language, script = match.groups()
            code = _SHORT.get(language, language)
            usual = script == _USUAL.get(language, script) and code not in found
            found[code if usual else f"{code}-{script}"] = token
    return found


def short(code: str) -> str:
    """Return the code of two letters for one of three, any other code as it is."""
    return _SHORT.get(code, code)
