"""Prints the scores of best sentences with and without an answer: `python -m bench.calibrate` in svc-rag."""
# ruff: noqa: T201

from __future__ import annotations

from bench.questions import ANSWERED, UNANSWERED
from svc_rag.domain.relevance import relevance
from svc_rag.domain.sentences import sentence_spans
from svc_rag.engine.minilm import MiniLm


def main() -> None:
    """Score every question against its text and print one line each."""
    embedder = MiniLm()
    rows = [(text, question, words) for text, question, words in ANSWERED]
    rows += [(text, question, "") for text, question in UNANSWERED]
    for text, question, words in rows:
        sentences = [text[span.start : span.end] for span in sentence_spans(text)]
        scores = relevance(question, sentences, embedder)
        best = int(scores.argmax())
        kind = "no answer" if not words else "right" if words in sentences[best] else "wrong"
        print(f"{scores[best]:.2f}  {kind:9}  {question}")


if __name__ == "__main__":
    main()
