"""Translation models through CTranslate2: int8, beam search, two workers of one thread each.

Owns the call of CTranslate2. Knows nothing about queues or requests: it gets a batch of sentences and gives their
translations.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from svc_translate.engine.base import Pair
from svc_translate.engine.convert import converted
from svc_translate.engine.folders import Folder
from svc_translate.engine.pieces import pieces_of

WORD_START = "\u2581"
POSITIONS = 512
"""What every model of these kinds can hold, where its configuration does not say more."""


class CT2Translator:
    """A loaded model. Used by one thread at a time.

    Two workers of one thread translate 785 tokens/s with beam 4 where one worker of two threads
    gives 580 (two cores, opus-mt shape).
    """

    def __init__(self, folder: Folder, cache_dir: Path, *, threads: int = 2, beam: int = 4) -> None:
        import ctranslate2

        path = converted(folder, cache_dir)
        self._workers = max(1, threads)
        self._beam = beam
        self._positions = _positions(folder.path)
        self._pieces = pieces_of(folder)
        self._translator: Any = ctranslate2.Translator(
            str(path),
            device="cpu",
            compute_type="int8",
            inter_threads=self._workers,
            intra_threads=1,
        )

    def translate(self, sentences: Sequence[str], pair: Pair) -> list[tuple[str, float]]:
        """Translate a batch, in order; with each, the mean log probability of its least likely part.

        Nothing is cut off: what a model cannot hold goes in parts.
        """
        # Room for the marks, and for a target that is a third longer.
        marks = len(self._pieces.source([], pair))
        limit = max(8, int(self._positions * 0.75) - marks)
        parts = [split_pieces(self._pieces.cut(sentence), limit) for sentence in sentences]
        sources = [self._pieces.source(part, pair) for group in parts for part in group]
        made = iter(self._run(sources, pair))
        grouped = [[next(made) for _ in group] for group in parts]
        return [(" ".join(text for text, _ in group), min(score for _, score in group)) for group in grouped]

    def close(self) -> None:
        self._translator.unload_model()

    def _run(self, sources: list[list[str]], pair: Pair) -> list[tuple[str, float]]:
        longest = max((len(source) for source in sources), default=1)
        begin = self._pieces.begin(pair)
        results = self._translator.translate_batch(
            sources,
            target_prefix=None if begin is None else [begin] * len(sources),
            beam_size=self._beam,
            # Half of the batch for each worker, else one of them sleeps.
            max_batch_size=max(1, min(32, -(-len(sources) // self._workers))),
            max_input_length=self._positions,
            max_decoding_length=min(self._positions - 1, 3 * longest + 20),
            replace_unknowns=begin is None,
            return_scores=True,
        )
        return [(self._pieces.text(r.hypotheses[0], pair), float(r.scores[0])) for r in results]


def split_pieces(pieces: list[str], limit: int) -> list[list[str]]:
    """Cut a sentence's pieces into parts of at most `limit`, between words where there is a border."""
    parts: list[list[str]] = []
    rest = pieces
    while len(rest) > limit:
        borders = [i for i in range(1, limit + 1) if rest[i].startswith(WORD_START)]
        cut = borders[-1] if borders else limit
        parts.append(rest[:cut])
        rest = rest[cut:]
    return [*parts, rest]


def _positions(path: Path) -> int:
    file = path / "config.json"
    told = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    return int(told.get("max_position_embeddings") or POSITIONS)
