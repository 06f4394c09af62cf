"""The documents' own calls: `/chat` (two bodies) and `/api/chat` (JSON lines)."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import PlainTextResponse

from servicekit.auth import Identity, identity_of
from servicekit.disconnect import unless_disconnected
from servicekit.errors import ServiceError
from svc_chat.api.schemas import OllamaStyleChat, SimpleChat
from svc_chat.api.streams import streamed
from svc_chat.domain.conversation import single_turn
from svc_chat.domain.service import Ask, ChatService, Prepared
from svc_chat.engine.base import Sampling

Caller = Annotated[Identity, Depends(identity_of)]


def router(service: ChatService, default_max_tokens: int) -> APIRouter:
    """Return the routes of the older shapes."""
    routes = APIRouter(tags=["simple"])
    sampling = Sampling(max_tokens=default_max_tokens)

    @routes.post("/chat", response_model=None)
    async def chat(body: SimpleChat, request: Request, caller: Caller) -> Response | Any:
        """Answer `{"msg"}` as plain text, or `{"system_prompt", "user_input"}` as `{"response"}`."""
        messages = single_turn(body.msg or body.user_input or "", body.system_prompt)
        prepared = await service.prepare(Ask(messages, sampling=sampling), caller.user_id)
        answer = await unless_disconnected(request, service.answer(prepared))
        if body.msg is not None:
            return PlainTextResponse(answer.text)
        return {"response": answer.text}

    @routes.post("/api/chat", response_model=None)
    async def api_chat(body: OllamaStyleChat, request: Request, caller: Caller) -> Response | Any:
        """Answer in lines of `{"response", "done"}`, or in one object when `stream` is false."""
        ask = Ask(single_turn(body.message), model=body.model, sampling=sampling, bearer=caller.bearer)
        prepared = await service.prepare(ask, caller.user_id)
        if body.stream:
            return await streamed(request, _lines(service, prepared), _error_line, "application/x-ndjson")
        answer = await unless_disconnected(request, service.answer(prepared))
        return {"model": prepared.model.id, "response": answer.text, "done": True}

    return routes


async def _lines(service: ChatService, prepared: Prepared) -> AsyncGenerator[bytes, None]:
    async with aclosing(service.events(prepared)) as deltas:
        async for delta in deltas:
            if delta.text:
                yield _line(prepared, delta.text, done=False)
    yield _line(prepared, "", done=True)


def _error_line(error: ServiceError) -> bytes:
    """Tell an error after the status was sent."""
    return orjson.dumps({**error.body(), "done": True}) + b"\n"


def _line(prepared: Prepared, text: str, *, done: bool) -> bytes:
    return orjson.dumps({"model": prepared.model.id, "response": text, "done": done}) + b"\n"
