"""`/ask/question` and `/v1/search`."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import StreamingResponse

from servicekit import sse
from servicekit.auth import Identity, identity_of
from servicekit.disconnect import unless_disconnected
from servicekit.errors import ServiceError
from servicekit.timing import Timing
from svc_rag.api.schemas import AskRequest, SearchRequest, answer_json, hit_json
from svc_rag.domain.answering import Answerer
from svc_rag.domain.reranking import Choice, Rerankers

Caller = Annotated[Identity, Depends(identity_of)]


def router(answerer: Answerer, rerankers: Rerankers) -> APIRouter:
    """Return the routes of searching and asking."""
    routes = APIRouter(tags=["questions"])
    retriever = answerer.retriever

    @routes.post("/v1/search")
    async def search(body: SearchRequest, caller: Caller) -> dict[str, Any]:
        """Find passages by words, meaning or both."""
        timing = Timing()
        with timing.measure("run"):
            found, reranker = await asyncio.to_thread(
                answerer.found, caller.user_id, body.query, body.top_k, body.mode,
                document_ids=body.filter.ids(), choice=rerankers.chosen(body.reranker, told=body.tells_reranker),
            )  # fmt: skip
        return {
            "hits": [hit_json(item) for item in found], "mode": body.mode, "store": retriever.store.kind,
            "model": retriever.embedders.name_in_use, "reranker": reranker, "device": "cpu", "timing": timing.as_dict(),
        }  # fmt: skip

    @routes.post("/ask/question", response_model=None)
    async def ask(body: AskRequest, request: Request, caller: Caller) -> dict[str, Any] | StreamingResponse:
        """Answer a question from your documents, with checked citations."""
        choice = rerankers.chosen(body.reranker, told=body.tells_reranker)
        work = _answer(answerer, body, caller, choice)
        if not body.stream:
            return await unless_disconnected(request, work)
        return StreamingResponse(_events(work), media_type=sse.MEDIA_TYPE, headers=sse.HEADERS)

    return routes


async def _answer(
    answerer: Answerer, body: AskRequest, caller: Identity, choice: Choice | None
) -> dict[str, Any]:
    timing = Timing()
    with timing.measure("run"):
        answer = await answerer.answer(
            caller.user_id, body.question, body.top_k, caller.bearer, body.filter.ids(), choice
        )
    return answer_json(answer) | {"device": "cpu", "timing": timing.as_dict()}


async def _events(work: Any) -> AsyncIterator[bytes]:
    """Send `citations`, then the answer as `delta`s, then `done` with everything.

    Nothing of an answer is shown before it was checked, so the words come when all are there.
    """
    task = asyncio.ensure_future(work)
    try:
        yield sse.KEEP_ALIVE
        while not task.done():
            await asyncio.wait({task}, timeout=1.5)
            if not task.done():
                yield sse.KEEP_ALIVE
        result = task.result()
        yield sse.event({"citations": result["citations"], "found": result["found"]}, name="citations")
        for piece in re.findall(r"\S+\s*", result["answer"]):
            yield sse.event({"delta": piece}, name="delta")
        yield sse.event(result, name="done")
    except ServiceError as error:
        yield sse.event(error.body(), name="error")
    finally:
        task.cancel()
