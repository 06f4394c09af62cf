"""How well a sentence answers a question: words and meaning together. Knows no store and no chat.

`threshold` values are calibrated with the built-in embedder on the set in bench/ (see there).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from svc_rag.domain.retrieval import Found
from svc_rag.domain.sentences import Span, statement_spans
from svc_rag.engine.base import Embedder, Vectors
from svc_rag.words import content_words

_LEXICAL_WEIGHT = 0.5
_MAX_SENTENCES = 80
_SHORTEST_CHARS = 12


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of a passage, by its span in the document, and how well it fits a question."""

    found: Found
    span: Span
    text: str
    score: float

    @property
    def key(self) -> tuple[str, int, int]:
        """What makes the sentence unique; overlapping chunks hold the same one twice."""
        return self.found.document.id, self.span.start, self.span.end


def rank_sentences(question: str, passages: Sequence[Found], embedder: Embedder) -> list[Sentence]:
    """Return the sentences of the passages, best first; score is in [0, 1]."""
    candidates: dict[tuple[str, int, int], Sentence] = {}
    for found in passages:
        for span in statement_spans(found.hit.text):
            absolute = Span(span.start + found.hit.start, span.end + found.hit.start)
            sentence = Sentence(found, absolute, found.hit.text[span.start : span.end], 0.0)
            if len(span) >= _SHORTEST_CHARS and len(candidates) < _MAX_SENTENCES:
                candidates.setdefault(sentence.key, sentence)
    sentences = list(candidates.values())
    if not sentences:
        return []
    scores = relevance(question, [sentence.text for sentence in sentences], embedder)
    ranked = [
        Sentence(s.found, s.span, s.text, float(score)) for s, score in zip(sentences, scores, strict=True)
    ]
    return sorted(ranked, key=lambda sentence: -sentence.score)


def relevance(question: str, texts: Sequence[str], embedder: Embedder) -> Vectors:
    """Return (len(texts),) float32 in [0, 1]: the mean of cosine and of the share of words that match.

    A cosine counts from what unrelated texts have with this embedder.
    """
    vector, floor = embedder.embed([question], "query")[0], embedder.cosine_floor()
    cosine = np.clip((embedder.embed(texts, "passage") @ vector - floor) / (1.0 - floor), 0.0, 1.0)
    lexical = _overlap(question, texts)
    scores: Vectors = (_LEXICAL_WEIGHT * lexical + (1 - _LEXICAL_WEIGHT) * cosine).astype(np.float32)
    return scores


def _overlap(question: str, texts: Sequence[str]) -> Vectors:
    """Return the share of the question's words in each text; words that most texts hold count less."""
    wanted = dict.fromkeys(content_words(question))
    words = [set(content_words(text)) for text in texts]
    frequency = Counter(word for held in words for word in held & wanted.keys())
    weights = {word: 1.0 / (1.0 + frequency[word] / len(texts)) for word in wanted}
    total = sum(weights.values()) or 1.0
    return np.array([sum(weights[w] for w in held & wanted.keys()) / total for held in words], np.float32)
