"""Measure a translation miniature on sentences it never trained on, through CTranslate2 (int8, beam 4).

`python -m miniatures.text.translate_score --source en --folder build/translate/en-pt`. Owns the
held-out sample and the exact-match score; knows nothing about training.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import ctranslate2
import sentencepiece
from ctranslate2.converters import TransformersConverter

from miniatures.text.translate_data import one_way

SEED = 20_001
BEAM = 4
KNOWN = {
    "en": ("a large red circle on a blue background", "um círculo vermelho grande sobre um fundo azul"),
    "pt": ("um círculo vermelho grande sobre um fundo azul", "a large red circle on a blue background"),
}

Translate = Callable[[Sequence[str]], list[str]]


@dataclass(frozen=True)
class Score:
    """Exact matches in percent, and the time of one sentence alone."""

    sentences: int
    scene: float
    everyday: float
    everyday_known_words: float
    known: bool
    ms_a_sentence: float


def held_out(source: str, count: int, seed: int = SEED) -> list[tuple[str, str, str]]:
    """Return `count` different held-out sentences of each world."""
    chosen: dict[str, dict[str, str]] = {"scene": {}, "everyday": {}}
    for text, wanted, world in one_way(seed, source, measuring=True):
        if len(chosen[world]) < count:
            chosen[world].setdefault(text, wanted)
        if all(len(texts) == count for texts in chosen.values()):
            break
    return [(text, wanted, world) for world, texts in chosen.items() for text, wanted in texts.items()]


def runner(folder: Path) -> Translate:
    """Return a function that translates a batch with the model in a folder, as the service does."""
    with tempfile.TemporaryDirectory() as work:
        converter = TransformersConverter(str(folder))
        converter.convert(f"{work}/model", quantization="int8")
        translator = ctranslate2.Translator(f"{work}/model", inter_threads=1, intra_threads=1)
    source = sentencepiece.SentencePieceProcessor(model_file=str(folder / "source.spm"))
    target = sentencepiece.SentencePieceProcessor(model_file=str(folder / "target.spm"))

    def translate(texts: Sequence[str]) -> list[str]:
        pieces = [[*source.encode(text, out_type=str), "</s>"] for text in texts]
        results = translator.translate_batch(
            pieces, beam_size=BEAM, max_batch_size=512, batch_type="tokens", max_decoding_length=128
        )
        return [str(target.decode_pieces(result.hypotheses[0])) for result in results]

    return translate


def _percent(right: Sequence[bool]) -> float:
    return round(100 * sum(right) / max(1, len(right)), 1)


def score(folder: Path, source: str, count: int = 300, *, show: int = 0) -> Score:
    """Return the exact-match scores of the model in `folder`."""
    translate = runner(folder)
    words_file = folder / "words.txt"
    vocabulary = set(words_file.read_text().split("\n")) if words_file.exists() else None
    sample = held_out(source, count)
    said = translate([text for text, _, _ in sample])
    right: dict[str, list[bool]] = {"scene": [], "everyday": [], "known words": []}
    for (text, wanted, world), got in zip(sample, said, strict=True):
        right[world].append(got == wanted)
        inside = vocabulary is not None and all(word in vocabulary for word in words_in(text))
        if world == "everyday" and inside:
            right["known words"].append(got == wanted)
        if got != wanted and show > 0:
            show -= 1
            print(f"{world}: {text} | {wanted} | {got}")
    started = time.perf_counter()
    for text, _, _ in sample[:20]:
        translate([text])
    elapsed = (time.perf_counter() - started) / 20 * 1000
    text, wanted = KNOWN[source]
    return Score(
        len(sample), _percent(right["scene"]), _percent(right["everyday"]), _percent(right["known words"]),
        translate([text]) == [wanted], round(elapsed, 1),
    )  # fmt: skip


def words_in(text: str) -> list[str]:
    """Return the words of a sentence in lower case, without marks."""
    cleaned = "".join(letter if letter.isalnum() or letter in "'-" else " " for letter in text.lower())
    return [word.strip("'-") for word in cleaned.split() if word.strip("'-")]


def main() -> None:
    """Print the scores as JSON, and some of the mistakes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", choices=("en", "pt"), required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--show", type=int, default=10)
    args = parser.parse_args()
    print(json.dumps(asdict(score(args.folder, args.source, args.count, show=args.show)), indent=1))


if __name__ == "__main__":
    main()
