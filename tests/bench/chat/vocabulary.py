"""A byte-level BPE vocabulary of Qwen2.5's size, made of syllables. Knows no file format.

Every word of two syllables after a space is one token, so the length of a prompt is chosen exactly, and a
text that a model wrote splits into the very tokens that it wrote, as it nearly always does in a real one.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

SIZE = 151_936
BASE_SIZE = 151_643
"""Tokens before the special ones, as in Qwen2.5's own tokenizer."""
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
END_OF_TEXT, IM_START, IM_END = range(BASE_SIZE, BASE_SIZE + len(SPECIAL))
SPACE = "Ġ"
"""How byte-level BPE writes the space."""
NORMAL, CONTROL, UNUSED = 1, 3, 5
"""Token types of GGUF (llama.cpp, `llama_token_type`)."""
CHATML = (
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' "
    "+ '\\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)

SYLLABLES = tuple(c + v for c in "bcdfghjklmnprstvwxyz" for v in "aeiou")


@dataclass(frozen=True)
class Vocabulary:
    """Tokens with their types and the merges that make them, in order of rank."""

    tokens: tuple[str, ...]
    types: tuple[int, ...]
    merges: tuple[str, ...]
    spoken_from: int
    """Ids from here to BASE_SIZE are words; only these are ever to be written by a model."""


def vocabulary() -> Vocabulary:
    """Return the vocabulary: bytes, syllables, then words of one to three syllables after a space."""
    tokens = list(byte_characters())
    merges = [f"{syllable[0]} {syllable[1]}" for syllable in SYLLABLES]
    tokens += SYLLABLES
    spoken_from = len(tokens)
    for length in (1, 2, 3):
        missing = BASE_SIZE - len(tokens)
        for word in itertools.islice(itertools.product(SYLLABLES, repeat=length), missing):
            stem = SPACE + "".join(word[:-1])
            merges.append(f"{stem} {word[-1]}")
            tokens.append(stem + word[-1])
    types = [NORMAL] * BASE_SIZE + [CONTROL] * len(SPECIAL) + [UNUSED] * (SIZE - BASE_SIZE - len(SPECIAL))
    tokens += SPECIAL
    tokens += [f"[UNUSED{number}]" for number in range(SIZE - len(tokens))]
    return Vocabulary(tuple(tokens), tuple(types), tuple(merges), spoken_from)


def byte_characters() -> list[str]:
    """Return the printable character of each of the 256 bytes, in the order GPT-2 gave them (0 to 255)."""
    shown = {*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    spare = itertools.count(0x100)
    return [chr(byte) if byte in shown else chr(next(spare)) for byte in range(256)]
