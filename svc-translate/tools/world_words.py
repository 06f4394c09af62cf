"""Writes `words.txt` of a built-in translator: the words of the world it was trained on.

`python svc-translate/tools/world_words.py --source en --out svc-translate/models/en-pt/words.txt`. Run
it after `miniatures.text.translate_train`, whose grammar it samples. Made-up names are left out: they
come once, words of the grammar come often.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from itertools import islice
from pathlib import Path

from miniatures.text.translate_data import one_way
from svc_translate.engine.folders import words_of

LEAST = 4
"""Times a word must come in the sample."""


def world_words(source: str, sentences: int, seed: int = 1) -> list[str]:
    """Return the words of `sentences` training sentences, sorted."""
    counts: Counter[str] = Counter()
    for text, _, _ in islice(one_way(seed, source), sentences):
        counts.update(words_of(text))
    return sorted(word for word, count in counts.items() if count >= LEAST)


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", choices=("en", "pt"), required=True)
    parser.add_argument("--sentences", type=int, default=150_000)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    found = world_words(options.source, options.sentences)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text("\n".join(found) + "\n", encoding="utf-8")
    sys.stdout.write(f"{len(found)} words\n")


if __name__ == "__main__":
    main()
