"""Embedder over a network of BERT's family: prefix, tokens, pooling, unit vectors. Knows nothing about documents."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from threadpoolctl import threadpool_limits
from tokenizers import Tokenizer

from svc_rag.engine.base import TextRole, Vectors
from svc_rag.engine.bert import Bert, batches
from svc_rag.engine.tensors import Tensors
from svc_rag.engine.text_model import TextModel

_QUESTIONS = (
    "Que horas a padaria abre?", "How do I reset the router?", "Quando vence o contrato de aluguel?",
    "How many paintings are in the museum?", "Qual é a multa por atraso na biblioteca?", "Who wrote Hamlet?",
)  # fmt: skip
_PASSAGES = (
    "O pão sai do forno às seis e meia da manhã.", "Hold the small button for ten seconds.",
    "O acordo termina em setembro e segue o índice de preços.", "Twelve pictures of old ships hang in the hall.",
    "Cada dia depois do prazo custa cinquenta centavos.", "Shakespeare's tragedy was first printed in 1603.",
)  # fmt: skip
"""The n-th passage fits the n-th question and no other."""


class TextEncoder:
    """Embedder: pooled, normalised vectors; texts longer than the model's tokens are cut."""

    def __init__(self, model: TextModel, threads: int = 1):
        # For the whole process, once: changing it around each call is neither cheap nor thread-safe.
        # One thread, because beside other load two spinning ones took 30 times longer (measured 2026-11).
        threadpool_limits(threads, user_api="blas")
        self.model_id, self.dimension = model.id, model.shape.width
        self._pooling, self._prefixes = model.pooling, model.prefixes
        self._tokenizer = tokenizer_of(model)
        self._network = Bert(Tensors(model.path), model.shape)
        self._floor: float | None = None

    def embed(self, texts: Sequence[str], role: TextRole = "plain") -> Vectors:
        """Return (len(texts), dimension) float32, rows of length one."""
        prefix = self._prefixes.get(role, "")
        encodings = self._tokenizer.encode_batch([prefix + (text or " ") for text in texts])
        vectors = np.zeros((len(texts), self.dimension), np.float32)
        for batch in batches(encodings):
            hidden, mask = self._network([encodings[index] for index in batch])
            vectors[batch] = hidden[:, 0] if self._pooling == "cls" else _mean(hidden, mask)
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        unit: Vectors = vectors / np.maximum(norms, np.float32(1e-12))
        return unit

    def count_tokens(self, text: str) -> int:
        """Return the tokens of `text` without the special ones."""
        return tokens_in(text, self._tokenizer)

    def cosine_floor(self) -> float:
        """Return the mean cosine of questions and passages that have nothing to do with each other.

        Some models (E5) give 0.7 to any two texts: what two texts have in common only shows above it.
        """
        if self._floor is None:
            cosines = self.embed(_QUESTIONS, "query") @ self.embed(_PASSAGES, "passage").T
            unrelated = cosines[~np.eye(len(_QUESTIONS), dtype=bool)]
            self._floor = float(np.clip(unrelated.mean(), 0.0, 0.99))
        return self._floor


def tokenizer_of(model: TextModel) -> Tokenizer:
    """Return a tokenizer that cuts at the model's tokens."""
    tokenizer = Tokenizer.from_file(str(model.path / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(model.max_tokens)
    return tokenizer


def tokens_in(text: str, tokenizer: Tokenizer) -> int:
    """Return all tokens of `text` without the special ones.

    By the one tokenizer that cuts: a second one for a hundred languages would take 150 MB.
    """
    encoding = tokenizer.encode(text, add_special_tokens=False)
    return len(encoding) + sum(map(len, encoding.overflowing))


def _mean(hidden: Vectors, mask: Vectors) -> Vectors:
    summed: Vectors = (hidden * mask[:, :, None]).sum(axis=1) / mask.sum(axis=1, keepdims=True)
    return summed
