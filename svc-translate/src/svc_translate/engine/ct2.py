"""Marian through CTranslate2: int8, beam search, two workers of one thread each.

Owns the call of CTranslate2 and SentencePiece. Knows nothing about queues or requests: it gets a
batch of sentences and gives their translations.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from svc_translate.engine.convert import converted
from svc_translate.engine.folders import MarianFolder

MAX_SOURCE_PIECES = 480
"""Marian's positions end at 512; sentences are cut before that by the domain."""


class CT2Translator:
    """A loaded Marian model. Used by one thread at a time.

    Two workers of one thread translate 785 tokens/s with beam 4 where one worker of two threads
    gives 580 (two cores, opus-mt shape).
    """

    def __init__(self, folder: MarianFolder, cache_dir: Path, *, threads: int = 2, beam: int = 4) -> None:
        import ctranslate2
        import sentencepiece

        path = converted(folder, cache_dir)
        self._workers = max(1, threads)
        self._beam = beam
        self._prefix = [folder.label] if folder.label else []
        self._source = sentencepiece.SentencePieceProcessor(model_file=str(folder.path / "source.spm"))
        self._target = sentencepiece.SentencePieceProcessor(model_file=str(folder.path / "target.spm"))
        self._translator: Any = ctranslate2.Translator(
            str(path),
            device="cpu",
            compute_type="int8",
            inter_threads=self._workers,
            intra_threads=1,
        )

    def translate(self, sentences: Sequence[str]) -> list[str]:
        """Translate a batch, in order."""
        pieces = [[*self._prefix, *self._source.encode(s, out_type=str), "</s>"] for s in sentences]
        longest = max((len(piece) for piece in pieces), default=1)
        results = self._translator.translate_batch(
            pieces,
            beam_size=self._beam,
            # Half of the batch for each worker, else one of them sleeps.
            max_batch_size=max(1, min(32, -(-len(pieces) // self._workers))),
            max_input_length=MAX_SOURCE_PIECES,
            max_decoding_length=min(512, 3 * longest + 20),
        )
        return [self._target.decode(result.hypotheses[0]) for result in results]

    def close(self) -> None:
        self._translator.unload_model()
