"""Reads the best passages of a search again, together with the question, where a reranker was chosen. Knows no HTTP."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from servicekit.errors import ModelNotFound, ServiceError
from servicekit.logs import log_event
from svc_rag.domain.embedders import Embedders
from svc_rag.domain.retrieval import Found
from svc_rag.engine.base import Reranker

log = logging.getLogger(__name__)
READ_AGAIN = 20
"""Passages that a reranker reads at least: what it could bring forward."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Which reranker reads; `named` by the caller, who is told when it cannot."""

    reranker: Reranker
    named: bool

    def width(self, top_k: int) -> int:
        """Return how many passages to search for."""
        return max(top_k, READ_AGAIN)

    def order(self, question: str, found: Sequence[Found], top_k: int) -> tuple[list[Found], str | None]:
        """Return the best top_k passages with the reranker's scores, and its id; as they came and None if it cannot.

        Raises:
            ServiceError: the caller named it.
        """
        if not found:
            return [], self.reranker.model_id
        try:
            scores = self.reranker.score(question, [one.hit.text for one in found])
        except ServiceError as error:
            if self.named:
                raise
            log_event(log, "passages not reranked", level=logging.WARNING, code=error.code)
            return list(found[:top_k]), None
        read = [
            Found(replace(one.hit, score=float(score)), one.document)
            for one, score in zip(found, scores, strict=True)
        ]
        return sorted(read, key=lambda one: -one.hit.score)[:top_k], self.reranker.model_id


@dataclass(frozen=True, slots=True)
class Rerankers:
    """Tells who reads again: the reranker of a request, or the one of the settings where it is installed."""

    embedders: Embedders
    default: str = ""

    def chosen(self, name: str | None, *, told: bool) -> Choice | None:
        """Return who reads again, None for nobody.

        Args:
            name: what the request names; None: nobody.
            told: whether the request says anything of it.

        Raises:
            ModelNotFound: the request names one that is not installed.
        """
        wanted = name if told else self.default
        if not wanted:
            return None
        reranker = self.embedders.reranker(wanted)
        if reranker is not None:
            return Choice(reranker, told)
        if not told:
            return None
        there = ", ".join(self.embedders.reranker_names()) or "none; GET /v1/catalogue?task=rerank lists some"
        raise ModelNotFound(
            f"'{wanted[:100]}' is no reranker that is installed here. Installed: {there}.", param="reranker"
        )
