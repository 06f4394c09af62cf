"""Measures where to set `LEAST_SCORE`, below which a built-in translator is unsure of itself.

`python svc-translate/tools/least_score.py --models svc-translate/models`. Translates held-out sentences
both ways with the service's own engine and prints how many right translations, wrong ones, and ones of
shuffled words lie below each limit. (Unknown words need no limit: the word list finds them.)
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from itertools import islice
from pathlib import Path

from miniatures.text.translate_data import one_way
from svc_translate.engine.base import Pair
from svc_translate.engine.ct2 import CT2Translator
from svc_translate.engine.folders import MarianFolder

SEED = 20_002
LIMITS = (-0.02, -0.03, -0.05, -0.08, -0.1, -0.15, -0.2, -0.25, -0.3, -0.4)


def shuffled(rng: random.Random, sentence: str) -> str:
    """Return the sentence's words in another order: every word is known and the whole means nothing."""
    parts = sentence.split()
    rng.shuffle(parts)
    return " ".join(parts)


def scored(folder: Path, source: str, count: int, cache: Path) -> dict[str, list[float]]:
    """Return the scores of right and wrong translations of held-out sentences, and of shuffled ones."""
    target = "pt" if source == "en" else "en"
    translator = CT2Translator(MarianFolder(folder.name, Pair(source, target), folder, builtin=True), cache)
    rows = list(islice(one_way(SEED, source, measuring=True), count))
    found: dict[str, list[float]] = {"right": [], "wrong": [], "shuffled": []}
    for row, (text, score) in zip(
        rows, translator.translate([row[0] for row in rows], Pair(source, target)), strict=True
    ):
        found["right" if text == row[1] else "wrong"].append(score)
    rng = random.Random(SEED)
    strange = [shuffled(rng, row[0]) for row in rows if len(row[0].split()) > 3]
    found["shuffled"] = [score for _, score in translator.translate(strange, Pair(source, target))]
    translator.close()
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--count", type=int, default=1000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as cache:
        for source, name in (("en", "en-pt"), ("pt", "pt-en")):
            found = scored(options.models / name, source, options.count, Path(cache))
            sys.stdout.write(f"{name}: {', '.join(f'{len(v)} {k}' for k, v in found.items())}\n")
            for limit in LIMITS:
                shares = (f"{k} {sum(x < limit for x in v) / max(1, len(v)):.1%}" for k, v in found.items())
                sys.stdout.write(f"  below {limit:5.2f}: {', '.join(shares)}\n")


if __name__ == "__main__":
    main()
