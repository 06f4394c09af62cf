"""`POST /v1/completions`: texts are continued, streamed and not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request

from servicekit import sse
from servicekit.auth import Identity, identity_of
from servicekit.disconnect import unless_disconnected
from svc_chat.api.completion_schemas import CompletionRequest
from svc_chat.api.sampling_schemas import deadline
from svc_chat.api.streams import streamed
from svc_chat.api.wire import Envelope, Offsets, text_logprobs, usage_of
from svc_chat.domain.answers import Answer, best
from svc_chat.domain.making import made
from svc_chat.domain.service import ChatService, Prepared
from svc_chat.engine.base import Delta, Usage
from svc_chat.together import together

Caller = Annotated[Identity, Depends(identity_of)]
PROMPTS_AT_ONCE = 4
"""Prompts of one call that are written side by side; the engine batches them with those of others."""


def router(service: ChatService) -> APIRouter:
    """Return the route of OpenAI's older call."""
    routes = APIRouter(prefix="/v1", tags=["chat"])

    @routes.post("/completions")
    async def completions(body: CompletionRequest, request: Request, caller: Caller) -> Any:
        """Continue a text."""
        timeout_s = deadline(body.timeout_s)
        if body.stream:
            return await streamed(request, _events(service, body, caller, timeout_s))

        async def whole() -> dict[str, Any]:
            prepared = await _prepared(service, body, caller, timeout_s)
            return _whole(body, prepared, await _answers(service, prepared))

        return await unless_disconnected(request, whole())

    return routes


async def _prepared(
    service: ChatService, body: CompletionRequest, caller: Identity, timeout_s: float | None
) -> list[Prepared]:
    asks = [replace(ask, timeout_s=timeout_s, bearer=caller.bearer) for ask in body.to_domain()]
    return [await service.prepare(ask, caller.user_id) for ask in asks]


async def _answers(service: ChatService, prepared: list[Prepared]) -> list[list[Answer]]:
    gate = asyncio.Semaphore(PROMPTS_AT_ONCE)

    async def one(which: Prepared) -> list[Answer]:
        async with gate:
            return await service.answers(which)

    tasks = [asyncio.create_task(one(which)) for which in prepared]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()


def _whole(body: CompletionRequest, prepared: list[Prepared], answers: list[list[Answer]]) -> dict[str, Any]:
    usages = [[answer.usage for answer in tries] for tries in answers]
    kept = [(p, answer) for p, tries in enumerate(answers) for answer in best(tries, body.choices)]
    choices = [
        _Choice(body, body.prompt[prompt], index).whole(answer) for index, (prompt, answer) in enumerate(kept)
    ]
    extra = made(prepared[0], [usage for tries in usages for usage in tries])
    return Envelope(prepared[0].model, "text_completion").whole(choices, usage=usage_of(usages), **extra)


@dataclass
class _Choice:
    """One choice on its way out; `index` counts over all prompts."""

    body: CompletionRequest
    prompt: str
    index: int
    opened: bool = False
    offsets: Offsets = field(default_factory=Offsets)

    def __post_init__(self) -> None:
        self.offsets.place = len(self.prompt)

    def whole(self, answer: Answer) -> dict[str, Any]:
        """Return a choice that is not streamed."""
        return self._choice(Delta(answer.text, answer.logprobs), answer.finish_reason)

    def piece(self, delta: Delta) -> dict[str, Any]:
        """Return the choice of the next chunk."""
        reason = "stop" if delta.finish_reason == "tool_calls" else delta.finish_reason
        return self._choice(delta, reason)

    def _choice(self, delta: Delta, reason: str | None) -> dict[str, Any]:
        echo = self.prompt if self.body.echo and not self.opened else ""
        self.opened = True
        logprobs = None
        if self.body.logprobs is not None:
            logprobs = text_logprobs(delta.logprobs, self.offsets, echo)
        return {"index": self.index, "text": echo + delta.text, "logprobs": logprobs, "finish_reason": reason}


async def _events(
    service: ChatService, body: CompletionRequest, caller: Identity, timeout_s: float | None
) -> AsyncGenerator[bytes, None]:
    prepared = await _prepared(service, body, caller, timeout_s)
    envelope = Envelope(prepared[0].model, "text_completion", with_usage=body.with_usage)
    number = len(prepared) * body.choices
    choices = [_Choice(body, body.prompt[index // body.choices], index) for index in range(number)]
    usages: dict[int, Usage] = {}
    streams = [_numbered(service, one, place * body.choices) for place, one in enumerate(prepared)]
    async with aclosing(together(streams, PROMPTS_AT_ONCE)) as deltas:
        async for delta in deltas:
            extra: dict[str, Any] = {}
            if delta.finish_reason is not None:
                usages[delta.index] = delta.usage or Usage()
                extra = made(prepared[0], list(usages.values())) if len(usages) == number else {}
            if delta.text or delta.logprobs or delta.finish_reason:
                yield sse.event(envelope.chunk([choices[delta.index].piece(delta)], **extra))
    if body.with_usage:
        rows = [[usages[p * body.choices + c] for c in range(body.choices)] for p in range(len(prepared))]
        yield sse.event(envelope.chunk([], usage=usage_of(rows)))
    yield sse.DONE


async def _numbered(service: ChatService, prepared: Prepared, first: int) -> AsyncGenerator[Delta, None]:
    """Count the choices of one prompt on from those of the prompts before it."""
    async with aclosing(service.events(prepared)) as deltas:
        async for delta in deltas:
            yield replace(delta, index=first + delta.index)
