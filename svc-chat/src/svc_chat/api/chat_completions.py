"""`POST /v1/chat/completions` and `POST /v1/completions`, streamed and not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import StreamingResponse

from servicekit import sse
from servicekit.auth import Identity, identity_of
from servicekit.disconnect import unless_disconnected
from servicekit.errors import BadRequest, ServiceError
from svc_chat.api.schemas import ChatCompletionRequest, CompletionRequest
from svc_chat.api.wire import Envelope, chat_completion, chat_logprobs, made, text_completion, usage_of
from svc_chat.domain.service import Answer, ChatService, Prepared
from svc_chat.engine.base import Delta

Caller = Annotated[Identity, Depends(identity_of)]


def router(service: ChatService, default_max_tokens: int) -> APIRouter:
    """Return the routes of OpenAI's chat and completion calls."""
    routes = APIRouter(prefix="/v1", tags=["chat"])

    @routes.post("/chat/completions")
    async def chat_completions(body: ChatCompletionRequest, request: Request, caller: Caller) -> Any:
        """Answer a conversation."""
        prepared = await service.prepare(body.to_domain(default_max_tokens), caller.user_id)
        if not body.stream:
            answers = await unless_disconnected(request, _answers(service, prepared, body.n))
            return chat_completion(prepared, answers)
        _one_stream(body.n)
        with_usage = bool(body.stream_options and body.stream_options.include_usage)
        return await _streaming(_chat_events(service, prepared, with_usage))

    @routes.post("/completions")
    async def completions(body: CompletionRequest, request: Request, caller: Caller) -> Any:
        """Continue a text."""
        ask = body.to_domain()
        prepared = await service.prepare(ask, caller.user_id)
        echo = (ask.prompt or "") if body.echo else ""
        if not body.stream:
            answers = await unless_disconnected(request, _answers(service, prepared, body.n))
            return text_completion(prepared, answers, echo)
        _one_stream(body.n)
        with_usage = bool(body.stream_options and body.stream_options.include_usage)
        return await _streaming(_text_events(service, prepared, echo, with_usage))

    return routes


async def _answers(service: ChatService, prepared: Prepared, n: int) -> list[Answer]:
    return [await service.answer(_choice(prepared, index)) for index in range(n)]


def _choice(prepared: Prepared, index: int) -> Prepared:
    """Give each of several choices its own seed, so that they differ and can be repeated."""
    seed = prepared.request.sampling.seed
    if index == 0 or seed is None:
        return prepared
    sampling = replace(prepared.request.sampling, seed=seed + index)
    return replace(prepared, request=replace(prepared.request, sampling=sampling))


def _one_stream(n: int) -> None:
    if n > 1:
        raise BadRequest("A stream has one choice; 'n' must be 1 when 'stream' is true.", param="n")


async def _streaming(events: AsyncIterator[bytes]) -> StreamingResponse:
    """Start the answer only when the first event is there, so that an early error keeps its status."""
    first = await anext(events)

    async def all_events() -> AsyncIterator[bytes]:
        try:
            yield first
            async for event in events:
                yield event
        except ServiceError as error:  # the status is long sent: the error travels as an event
            yield sse.event(error.body())
        finally:
            await events.aclose()  # type: ignore[attr-defined]

    return StreamingResponse(all_events(), media_type=sse.MEDIA_TYPE, headers=sse.HEADERS)


async def _chat_events(service: ChatService, prepared: Prepared, with_usage: bool) -> AsyncIterator[bytes]:
    envelope = Envelope(prepared.model.id)
    reason = None
    opened = False
    async for delta in service.stream(prepared):
        if not opened:
            opened = True
            yield _chat_event(envelope, {"role": "assistant", "content": ""})
        if isinstance(delta, tuple):
            reason = "tool_calls"
            calls = [{"index": index, **call} for index, call in enumerate(delta)]
            yield _chat_event(envelope, {"tool_calls": calls})
            continue
        if delta.text:
            yield _chat_event(envelope, {"content": delta.text}, logprobs=chat_logprobs(delta.logprobs))
        if delta.finish_reason:
            yield _chat_event(envelope, {}, reason or delta.finish_reason, extra=_made(prepared, delta))
            if with_usage and delta.usage:
                yield sse.event(envelope.chunk([], usage=usage_of([delta.usage])))
    yield sse.DONE


def _chat_event(
    envelope: Envelope,
    delta: dict[str, Any],
    reason: str | None = None,
    *,
    logprobs: Any = None,
    extra: dict[str, Any] | None = None,
) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": reason}
    return sse.event(envelope.chunk([choice], **(extra or {})))


def _made(prepared: Prepared, delta: Delta) -> dict[str, Any]:
    return made(prepared, [delta.usage]) if delta.usage else {}


async def _text_events(
    service: ChatService, prepared: Prepared, echo: str, with_usage: bool
) -> AsyncIterator[bytes]:
    envelope = Envelope(prepared.model.id, "text_completion")
    if echo:
        choice = {"index": 0, "text": echo, "logprobs": None, "finish_reason": None}
        yield sse.event(envelope.chunk([choice]))
    async for delta in service.stream(prepared):
        if isinstance(delta, tuple):
            continue
        if delta.text or delta.finish_reason:
            choice = {"index": 0, "text": delta.text, "logprobs": None, "finish_reason": delta.finish_reason}
            yield sse.event(envelope.chunk([choice], **_made(prepared, delta)))
        if with_usage and delta.usage:
            yield sse.event(envelope.chunk([], usage=usage_of([delta.usage])))
    yield sse.DONE
