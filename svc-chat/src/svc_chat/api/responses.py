"""`/v1/responses`: OpenAI's Responses API. Answers are kept, and written whether or not somebody listens."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import Annotated, Any, cast

import orjson
from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import StreamingResponse

from servicekit import sse
from servicekit.auth import Identity, identity_of
from servicekit.disconnect import unless_disconnected
from servicekit.errors import ServiceError
from svc_chat.api.pages import INCLUDED, Asked, listed
from svc_chat.api.response_schemas import InputFields, ResponseRequest
from svc_chat.api.streams import streamed, with_keep_alive
from svc_chat.domain.responses import NewResponse, ResponseService
from svc_chat.engine.history import Event

Caller = Annotated[Identity, Depends(identity_of)]


def router(responses: ResponseService, default_max_tokens: int) -> APIRouter:
    """Return the routes of responses."""
    routes = APIRouter(prefix="/v1/responses", tags=["responses"])

    @routes.post("", response_model=None)
    async def create(body: ResponseRequest, request: Request, caller: Caller) -> Response:
        """Answer, keep the answer, and tell of it in typed events when `stream` is true."""
        new = body.to_domain(default_max_tokens)
        new = replace(new, ask=replace(new.ask, bearer=caller.bearer))
        if not new.store:
            events = cast(AsyncGenerator[Event, None], responses.transient(new, caller.user_id))
            if body.stream:
                return await _streaming(request, events)
            return _json(await unless_disconnected(request, _last(events)))
        if body.stream:
            return await _streaming(request, _created(responses, new, caller.user_id))

        async def whole() -> Mapping[str, Any]:
            run = await responses.create(new, caller.user_id)
            if not new.background:
                await run.done.wait()
            return run.snapshot()

        return _json(await unless_disconnected(request, whole()))

    @routes.post("/input_tokens")
    async def input_tokens(body: InputFields, request: Request, caller: Caller) -> dict[str, Any]:
        """Count the tokens that a model would read."""
        new = body.new(default_max_tokens)
        new = replace(new, ask=replace(new.ask, bearer=caller.bearer))
        count = await unless_disconnected(request, responses.count(new, caller.user_id))
        return {"object": "response.input_tokens", "input_tokens": count}

    @routes.get("/{response_id}", response_model=None, dependencies=[INCLUDED])
    async def get(
        response_id: str,
        request: Request,
        caller: Caller,
        stream: bool = False,
        starting_after: Annotated[int, Query(ge=-1, le=2**31 - 1)] = -1,
    ) -> Response:
        """Give a response as far as it is written, or its events after number `starting_after`."""
        if not stream:
            return _json(await responses.get(caller.user_id, response_id))
        return await _streaming(request, responses.follow(caller.user_id, response_id, starting_after))

    @routes.delete("/{response_id}")
    async def delete(response_id: str, caller: Caller) -> dict[str, Any]:
        """Remove a response; one that is being written ends first."""
        await responses.delete(caller.user_id, response_id)
        return {"id": response_id, "object": "response", "deleted": True}

    @routes.post("/{response_id}/cancel", response_model=None)
    async def cancel(response_id: str, caller: Caller) -> Response:
        """End a response at once; what is written stays."""
        return _json(await responses.cancel(caller.user_id, response_id))

    @routes.get("/{response_id}/input_items", dependencies=[INCLUDED])
    async def input_items(response_id: str, caller: Caller, page: Asked) -> dict[str, Any]:
        """List what a response was asked with."""
        found = await responses.input_items(caller.user_id, response_id, page)
        return listed(found.rows, found.has_more)

    return routes


async def _created(responses: ResponseService, new: NewResponse, owner: str) -> AsyncIterator[Event]:
    run = await responses.create(new, owner)
    async for event in run.read():
        yield event


async def _last(events: AsyncGenerator[Event, None]) -> Mapping[str, Any]:
    async with aclosing(events):
        whole: Mapping[str, Any] = {}
        async for event in events:
            whole = event.get("response", whole)
        return whole


async def _streaming(request: Request, events: AsyncIterator[Event]) -> StreamingResponse:
    pieces = with_keep_alive(cast(AsyncGenerator[Event, None], events), _sent)
    return await streamed(request, pieces, _error_event)


def _sent(event: Event) -> bytes:
    return sse.event(event, name=event["type"])


def _error_event(error: ServiceError) -> bytes:
    told = {"type": "error", "code": error.code, "message": error.message, "param": error.param}
    return sse.event({**told, "sequence_number": 0}, name="error")


def _json(body: Mapping[str, Any]) -> Response:
    return Response(orjson.dumps(body), media_type="application/json")
