"""`POST /v1/embeddings` in OpenAI's shape and `POST /v1/rerank` in Jina's."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

from fastapi import APIRouter

from servicekit.errors import BadRequest
from servicekit.models import ServiceModels
from servicekit.timing import Timing
from servicekit.turns import Turns
from svc_rag.api.schemas import EmbeddingsRequest, RerankRequest
from svc_rag.domain.embedders import Embedders
from svc_rag.domain.embedding import embed_whole, rerank
from svc_rag.engine.base import Embedder, Reranker, TextRole, Vectors

_MAX_CHARS = 500_000
AT_ONCE, WAITING = 2, 32
"""They run in threads that all calls share: without a bound a few large ones hold up every look at a document."""


def router(embedders: Embedders, models: ServiceModels) -> APIRouter:
    """Return the routes of embeddings and reranking; without a model's name the documents' embedder answers."""
    routes = APIRouter(prefix="/v1", tags=["embeddings"])
    turns = Turns(AT_ONCE, WAITING, "calls for embeddings")

    @routes.post("/embeddings")
    async def embeddings(body: EmbeddingsRequest) -> dict[str, Any]:
        """Embed one text or several; vectors have length one."""
        model = models.resolve(body.model)
        embedder = embedders.get(model.id)
        texts = _texts(body)
        if body.dimensions not in (None, embedder.dimension):
            raise BadRequest(
                f"{model.id} makes {embedder.dimension} dimensions; leave 'dimensions' out.",
                param="dimensions",
            )
        timing = Timing()
        async with turns.turn():
            with timing.measure("run"):
                vectors, tokens = await asyncio.to_thread(_embed, texts, embedder, body.input_type or "plain")
        data = [
            {"object": "embedding", "index": n, "embedding": _encoded(row, body.encoding_format)}
            for n, row in enumerate(vectors)
        ]
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        return {
            "object": "list", "data": data, "model": model.id, "usage": usage,
            "device": "cpu", "timing": timing.as_dict(),
        }  # fmt: skip

    @routes.post("/rerank")
    async def rerank_documents(body: RerankRequest) -> dict[str, Any]:
        """Order documents by how well they answer a query."""
        model = models.resolve(body.model)
        reranker = embedders.reranker(model.id)
        embedder = None if reranker is not None else embedders.get(model.id)
        texts = body.texts()
        _check_size(texts, "documents")
        timing = Timing()
        counting = reranker or embedder
        assert counting is not None
        async with turns.turn():
            with timing.measure("run"):
                ranked = await asyncio.to_thread(rerank, body.query, texts, embedder, reranker)
                tokens = await asyncio.to_thread(_count, [body.query, *texts], counting)
        results: list[dict[str, Any]] = []
        for index, score in ranked[: body.top_n]:
            shown = {"document": {"text": texts[index]}} if body.return_documents else {}
            results.append({"index": index, "relevance_score": round(score, 6), **shown})
        return {
            "object": "list", "model": model.id, "results": results, "usage": {"total_tokens": tokens},
            "device": "cpu", "timing": timing.as_dict(),
        }  # fmt: skip

    return routes


def _texts(body: EmbeddingsRequest) -> list[str]:
    texts = [body.input] if isinstance(body.input, str) else body.input
    if any(not isinstance(text, str) for text in texts):
        raise BadRequest("'input' must be a text or a list of texts; token ids are not read.", param="input")
    if any(not text.strip() for text in texts):
        raise BadRequest("'input' holds an empty text; leave it out.", param="input")
    _check_size(texts, "input")
    return texts


def _check_size(texts: list[str], param: str) -> None:
    total = sum(map(len, texts))
    if total > _MAX_CHARS:
        raise BadRequest(f"'{param}' holds {total} characters; at most {_MAX_CHARS} at once.", param=param)


def _embed(texts: list[str], embedder: Embedder, role: TextRole) -> tuple[Vectors, int]:
    return embed_whole(texts, embedder, role), _count(texts, embedder)


def _count(texts: list[str], model: Embedder | Reranker) -> int:
    return sum(model.count_tokens(text) for text in texts)


def _encoded(row: Vectors, encoding_format: str) -> str | list[float]:
    if encoding_format == "base64":
        return base64.b64encode(row.astype("<f4").tobytes()).decode("ascii")
    return [float(value) for value in row]
