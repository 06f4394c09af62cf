"""Reranker over a network of BERT's family that reads query and text together and gives one score."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import expit
from threadpoolctl import threadpool_limits

from svc_rag.engine.base import Vectors
from svc_rag.engine.bert import Bert, batches, linear
from svc_rag.engine.tensors import Tensors
from svc_rag.engine.text_encoder import tokenizer_of, tokens_in
from svc_rag.engine.text_model import TextModel


class CrossEncoder:
    """Reranker; pairs longer than the model's tokens are cut at the longer part."""

    def __init__(self, model: TextModel, threads: int = 1):
        threadpool_limits(threads, user_api="blas")
        self.model_id = model.id
        self._tokenizer = tokenizer_of(model)
        tensors = Tensors(model.path)
        self._network = Bert(tensors, model.shape)
        # BERT's head is the pooler and a classifier, RoBERTa's two layers of the classifier.
        names = (
            ("pooler.dense", "classifier")
            if "pooler.dense.weight" in tensors
            else ("classifier.dense", "classifier.out_proj")
        )
        self._first, self._last = (linear(tensors, name) for name in names)
        if self._last[0].shape[1] != 1:
            raise ValueError("the classifier gives more than one score")

    def score(self, query: str, texts: Sequence[str]) -> Vectors:
        """Return (len(texts),) float32 in [0, 1]."""
        encodings = self._tokenizer.encode_batch([(query or " ", text or " ") for text in texts])
        scores = np.zeros(len(texts), np.float32)
        for batch in batches(encodings):
            hidden, _ = self._network([encodings[index] for index in batch])
            pooled = np.tanh(hidden[:, 0] @ self._first[0] + self._first[1])
            scores[batch] = expit(pooled @ self._last[0] + self._last[1])[:, 0]
        return scores

    def count_tokens(self, text: str) -> int:
        """Return the tokens of `text` without the special ones."""
        return tokens_in(text, self._tokenizer)
