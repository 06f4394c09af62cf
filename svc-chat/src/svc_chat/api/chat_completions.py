"""`POST /v1/chat/completions`, streamed and not."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request

from servicekit import sse
from servicekit.auth import Identity, identity_of
from servicekit.disconnect import unless_disconnected
from svc_chat.api.chat_schemas import ChatCompletionRequest
from svc_chat.api.sampling_schemas import deadline
from svc_chat.api.streams import streamed
from svc_chat.api.wire import Envelope, call_piece, chat_completion, chat_logprobs, reason_of, usage_of
from svc_chat.domain.making import made
from svc_chat.domain.service import Ask, ChatService, Prepared
from svc_chat.engine.base import Delta, Usage

Caller = Annotated[Identity, Depends(identity_of)]


def router(service: ChatService, default_max_tokens: int) -> APIRouter:
    """Return the route of OpenAI's chat call."""
    routes = APIRouter(prefix="/v1", tags=["chat"])

    @routes.post("/chat/completions")
    async def chat_completions(
        body: ChatCompletionRequest,
        request: Request,
        caller: Caller,
    ) -> Any:
        """Answer a conversation."""
        timeout_s = deadline(body.timeout_s)
        ask = replace(body.to_domain(default_max_tokens), timeout_s=timeout_s, bearer=caller.bearer)
        if body.stream:
            return await streamed(request, _events(service, ask, caller.user_id, body))

        async def whole() -> dict[str, Any]:
            prepared = await service.prepare(ask, caller.user_id)
            answers = await service.answers(prepared)
            envelope = Envelope(prepared.model, service_tier=body.service_tier)
            functions = body.functions is not None
            return chat_completion(prepared, answers, envelope, metadata=body.metadata, functions=functions)

        return await unless_disconnected(request, whole())

    return routes


async def _events(
    service: ChatService, ask: Ask, owner: str, body: ChatCompletionRequest
) -> AsyncGenerator[bytes, None]:
    prepared = await service.prepare(ask, owner)
    envelope = Envelope(prepared.model, service_tier=body.service_tier, with_usage=body.with_usage)
    functions = body.functions is not None
    usages: dict[int, Usage] = {}
    opened: set[int] = set()
    async with aclosing(service.events(prepared)) as deltas:
        async for delta in deltas:
            if delta.index not in opened:
                opened.add(delta.index)
                content = None if delta.calls else ""
                yield _event(envelope, delta, {"role": "assistant", "content": content, "refusal": None})
            for event in _pieces(envelope, delta, functions):
                yield event
            if delta.finish_reason is not None:
                usages[delta.index] = delta.usage or Usage()
                last = len(usages) == ask.choices
                extra = made(prepared, list(usages.values())) if last else {}
                yield _event(envelope, delta, {}, reason_of(delta.finish_reason, functions), **extra)
    if body.with_usage:
        used = usage_of([[usages[index] for index in sorted(usages)]])
        yield sse.event(envelope.chunk([], **{"usage": used, **_pictures(prepared)}))
    yield sse.DONE


def _pieces(envelope: Envelope, delta: Delta, functions: bool) -> list[bytes]:
    """Return the chunks with text and with pieces of calls."""
    events = []
    if delta.text or delta.logprobs:
        scores = chat_logprobs(delta.logprobs)
        events.append(_event(envelope, delta, {"content": delta.text}, logprobs=scores))
    return events + [_event(envelope, delta, call_piece(call, functions)) for call in delta.calls]


def _event(
    envelope: Envelope,
    delta: Delta,
    said: dict[str, Any],
    reason: str | None = None,
    *,
    logprobs: Any = None,
    **extra: Any,
) -> bytes:
    choice = {"index": delta.index, "delta": said, "logprobs": logprobs, "finish_reason": reason}
    return sse.event(envelope.chunk([choice], **extra))


def _pictures(prepared: Prepared) -> dict[str, Any]:
    told = made(prepared, [])
    return {name: told[name] for name in ("image_descriptions",) if name in told}
