"""Sentences into a model's tokens and back, with the marks that say from and into which language."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from svc_translate.engine.base import Pair
from svc_translate.engine.folders import Folder, ManyFolder, MarianFolder
from svc_translate.engine.vocabulary import PIECES

END = "</s>"


class Pieces(Protocol):
    """What a model reads and writes."""

    def cut(self, sentence: str) -> list[str]:
        """Return the pieces of a sentence, without marks."""
        ...

    def source(self, pieces: Sequence[str], pair: Pair) -> list[str]:
        """Return pieces with the marks that the model wants around them."""
        ...

    def begin(self, pair: Pair) -> list[str] | None:
        """Return what every translation must begin with; it is not part of the text."""
        ...

    def text(self, tokens: Sequence[str], pair: Pair) -> str:
        """Return what the model wrote."""
        ...


class MarianPieces:
    """Marian: one model of pieces for each side, perhaps a label before the source."""

    def __init__(self, folder: MarianFolder) -> None:
        self._label = [folder.label] if folder.label else []
        self._source, self._target = _model(folder, "source.spm"), _model(folder, "target.spm")

    def cut(self, sentence: str) -> list[str]:
        return list(self._source.encode(sentence, out_type=str))

    def source(self, pieces: Sequence[str], pair: Pair) -> list[str]:
        return [*self._label, *pieces, END]

    def begin(self, pair: Pair) -> list[str] | None:
        return None

    def text(self, tokens: Sequence[str], pair: Pair) -> str:
        return str(self._target.decode(list(tokens)))


class ManyPieces:
    """M2M100 and NLLB: the source begins with its language's token, the target with its own."""

    def __init__(self, folder: ManyFolder) -> None:
        self._tokens = folder.tokens
        self._marks = {*folder.tokens.values(), "<s>", "<pad>", "<unk>", "<mask>", END}
        self._model = _model(folder, PIECES)

    def cut(self, sentence: str) -> list[str]:
        return list(self._model.encode(sentence, out_type=str))

    def source(self, pieces: Sequence[str], pair: Pair) -> list[str]:
        return [self._tokens[pair.source], *pieces, END]

    def begin(self, pair: Pair) -> list[str] | None:
        return [self._tokens[pair.target]]

    def text(self, tokens: Sequence[str], pair: Pair) -> str:
        return str(self._model.decode([token for token in tokens if token not in self._marks]))


def pieces_of(folder: Folder) -> Pieces:
    """Return what cuts sentences for a model."""
    return ManyPieces(folder) if isinstance(folder, ManyFolder) else MarianPieces(folder)  # type: ignore[arg-type]


def _model(folder: Folder, name: str) -> Any:
    import sentencepiece

    return sentencepiece.SentencePieceProcessor(model_file=str(folder.path / name))
