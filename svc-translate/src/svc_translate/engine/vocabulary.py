"""What the ids of a translation model stand for, read from the files of its folder.

Owns the vocabularies of Marian, M2M100 and NLLB as transformers keeps them, and of CTranslate2's folders.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

SHARED = ("shared_vocabulary.json", "shared_vocabulary.txt")
"""The files in one of which CTranslate2 keeps a vocabulary of both sides."""
PIECES = "sentencepiece.bpe.model"

# The order is what gives M2M100's language tokens their ids; it stands in no file of its repositories.
# Source: `FAIRSEQ_LANGUAGE_CODES` of transformers' M2M100Tokenizer.
M2M100_LANGUAGES = [
    "af",
    "am",
    "ar",
    "ast",
    "az",
    "ba",
    "be",
    "bg",
    "bn",
    "br",
    "bs",
    "ca",
    "ceb",
    "cs",
    "cy",
    "da",
    "de",
    "el",
    "en",
    "es",
    "et",
    "fa",
    "ff",
    "fi",
    "fr",
    "fy",
    "ga",
    "gd",
    "gl",
    "gu",
    "ha",
    "he",
    "hi",
    "hr",
    "ht",
    "hu",
    "hy",
    "id",
    "ig",
    "ilo",
    "is",
    "it",
    "ja",
    "jv",
    "ka",
    "kk",
    "km",
    "kn",
    "ko",
    "lb",
    "lg",
    "ln",
    "lo",
    "lt",
    "lv",
    "mg",
    "mk",
    "ml",
    "mn",
    "mr",
    "ms",
    "my",
    "ne",
    "nl",
    "no",
    "ns",
    "oc",
    "or",
    "pa",
    "pl",
    "ps",
    "pt",
    "ro",
    "ru",
    "sd",
    "si",
    "sk",
    "sl",
    "so",
    "sq",
    "sr",
    "ss",
    "su",
    "sv",
    "sw",
    "ta",
    "th",
    "tl",
    "tn",
    "tr",
    "uk",
    "ur",
    "uz",
    "vi",
    "wo",
    "xh",
    "yi",
    "yo",
    "zh",
    "zu",
]


def tokens_of(folder: Path, config: dict[str, Any], rows: int) -> list[str]:
    """Return the vocabulary of a transformers folder in the order of ids, one token for each of `rows` embeddings.

    Raises:
        ValueError: its files do not tell.
    """
    if config.get("model_type") == "marian":
        tokens = _ordered(_read(folder / "vocab.json"))
        # the padding word at the end is of use in training only
        return tokens[:-1] if tokens[-1] == "<pad>" else tokens
    if (folder / "vocab.json").is_file():
        known = _ordered(_read(folder / "vocab.json"))
        tokens = [*known, *(f"__{code}__" for code in M2M100_LANGUAGES)]
    elif (folder / "tokenizer.json").is_file():
        tokens = _fast(_read(folder / "tokenizer.json"))
    else:
        tokens = _from_pieces(folder)
    return [*tokens, *(f"madeupword{i}" for i in range(rows - len(tokens)))][:rows]


def shared_tokens(folder: Path) -> list[str]:
    """Return the vocabulary of a folder in CTranslate2's format."""
    file = next(folder / name for name in SHARED if (folder / name).is_file())
    if file.suffix == ".json":
        return [str(token) for token in json.loads(file.read_text(encoding="utf-8"))]
    return file.read_text(encoding="utf-8").rstrip("\n").split("\n")


def special_tokens(folder: Path) -> list[str]:
    """Return the tokens beside the pieces that a tokenizer's settings list: with NLLB, its languages in order."""
    for name in ("tokenizer_config.json", "special_tokens_map.json"):
        told = _read(folder / name) if (folder / name).is_file() else {}
        listed = told.get("additional_special_tokens") or told.get("extra_special_tokens") or []
        if listed:
            return [str(one["content"] if isinstance(one, dict) else one) for one in listed]
    return []


def _from_pieces(folder: Path) -> list[str]:
    """NLLB as fairseq counts: four marks, the pieces without SentencePiece's own three, languages, the mask."""
    import sentencepiece

    listed = special_tokens(folder)
    if not listed:
        raise ValueError("neither tokenizer.json nor the tokenizer's settings name the languages")
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(folder / PIECES))
    names = [pieces.id_to_piece(i) for i in range(3, pieces.get_piece_size())]
    return ["<s>", "<pad>", "</s>", "<unk>", *names, *listed, "<mask>"]


def _fast(told: dict[str, Any]) -> list[str]:
    ids: dict[str, int] = dict(told["model"]["vocab"])
    ids.update({token["content"]: token["id"] for token in told.get("added_tokens", [])})
    return _ordered(ids)


def _ordered(ids: dict[str, int]) -> list[str]:
    return sorted(ids, key=ids.__getitem__)


def _read(file: Path) -> dict[str, Any]:
    found = json.loads(file.read_text(encoding="utf-8"))
    return found if isinstance(found, dict) else {}
