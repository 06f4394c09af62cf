"""OpenAI's Responses: an answer is asked for once, is kept, and can be read, followed, ended and deleted."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any

from servicekit.errors import BadRequest, ServiceError
from servicekit.uninterrupted import uninterrupted
from svc_chat.domain.ask_json import to_json
from svc_chat.domain.draft import Draft
from svc_chat.domain.items import kept, new_id, turns, with_ids
from svc_chat.domain.making import made, seen
from svc_chat.domain.run import Run
from svc_chat.domain.service import Ask, ChatService, Prepared
from svc_chat.domain.writer import ResponseWriter, shorten
from svc_chat.engine.base import Message, Usage
from svc_chat.engine.history import (
    UNFINISHED,
    Conversations,
    Event,
    Item,
    Listing,
    Page,
    Responses,
    StoredResponse,
)
from svc_chat.errors import BackgroundFull, ContextTooLong, StillWriting

GRACE_S = 1.0
"""How long a caller waits for the first piece, so that an early error keeps its HTTP status."""
_POLL_S = 0.25
"""Between two looks at a response that another process writes."""


@dataclass(frozen=True)
class NewResponse:
    """What a caller wants. `ask` has no messages yet; `fields` are those that the response repeats."""

    items: tuple[Mapping[str, Any], ...]
    ask: Ask
    fields: Mapping[str, Any]
    instructions: str | None = None
    previous_response_id: str | None = None
    conversation_id: str | None = None
    store: bool = True
    background: bool = False


class ResponseService:
    """Makes responses and gives them back. Everything is looked for among the owner's own."""

    def __init__(
        self,
        service: ChatService,
        writer: ResponseWriter,
        responses: Responses,
        conversations: Conversations,
        *,
        background_max: int,
    ):
        self._service, self._writer = service, writer
        self._responses, self._conversations = responses, conversations
        self._background_max = background_max
        self._admitting = asyncio.Lock()

    async def create(self, new: NewResponse, owner: str) -> Run:
        """Begin to write a response that is kept, and return it as soon as the model writes.

        Raises:
            ServiceError: what is wrong with the request, or what kept the model from beginning.
        """
        input_ = with_ids(new.items)
        new = _seeded(new)
        before = await self._before(new, owner)
        prepared = await self._prepared(new, [*before, *input_], owner)
        body = _body(new, prepared, "queued" if new.background else "in_progress")
        ask = replace(new.ask, messages=prepared.request.messages, model=prepared.model.id, persona=None)
        stored = StoredResponse(
            id=body["id"],
            owner=owner,
            status=body["status"],
            body=body,
            request=to_json(ask),
            input=input_,
            background=new.background,
            conversation_id=new.conversation_id,
            previous_id=new.previous_response_id,
            read_until=before[-1]["id"] if before and new.conversation_id else None,
            created_at=time.time(),
        )
        if new.background:
            return await self._admitted(stored, prepared)
        return await self._begun(asyncio.ensure_future(self._writer.add(stored, prepared)))

    async def transient(self, new: NewResponse, owner: str) -> AsyncIterator[Event]:
        """Write a response that nobody keeps; it ends when the caller stops reading."""
        items = [*await self._before(new, owner), *with_ids(new.items)]
        prepared = await self._prepared(new, items, owner)
        draft = Draft(_body(new, prepared, "in_progress"))
        told = [*draft.created(), *draft.begun()]
        try:
            while True:
                try:
                    async with aclosing(self._service.events(prepared)) as deltas:
                        async for delta in deltas:
                            for event in told:
                                yield event
                            told = []
                            if delta.text:
                                told += draft.write(delta.text, delta.logprobs)
                            for piece in delta.calls:
                                told += draft.call(piece)
                            if delta.finish_reason is not None:
                                extra = made(prepared, [delta.usage or Usage()])
                                told += draft.finish(delta.finish_reason, delta.usage, extra)
                    break
                except ContextTooLong as error:
                    if new.fields["truncation"] != "auto":
                        raise _about_input(error) from error
                    before = len(prepared.request.messages)
                    prepared = shorten(prepared, error)
                    told += draft.drop(before - len(prepared.request.messages))
        except ServiceError as error:
            if draft.next_number == len(told):  # nothing was told: the error keeps its status
                raise
            told += draft.fail(error)
        for event in told:
            yield event

    async def count(self, new: NewResponse, owner: str) -> int:
        """Return how many tokens the model would read; they stay in its memory, so that asking is quick."""
        items = [*await self._before(new, owner), *with_ids(new.items)]
        prepared = await self._prepared(new, items, owner)
        sampling = replace(prepared.request.sampling, max_tokens=1)
        request = replace(
            prepared.request, sampling=sampling, json_schema=None, repetition=None, answer_prefix=""
        )
        answer = await self._service.answer(replace(prepared, request=request))
        return answer.usage.prompt_tokens

    async def get(self, owner: str, response_id: str) -> Mapping[str, Any]:
        """Return the response object as far as it is written; raises NotFound."""
        stored = await asyncio.to_thread(self._responses.get, owner, response_id)
        run = self._writer.runs.get(response_id)
        if run is not None:
            return run.snapshot()
        if stored.status not in UNFINISHED:
            return stored.body
        draft = Draft(stored.body)
        draft.replay(await asyncio.to_thread(self._responses.events, response_id, -1))
        return draft.body

    async def follow(self, owner: str, response_id: str, after: int = -1) -> AsyncIterator[Event]:
        """Give the events numbered above `after`, until the response has ended; raises NotFound."""
        stored = await asyncio.to_thread(self._responses.get, owner, response_id)
        while True:
            run = self._writer.runs.get(response_id)
            if run is not None:
                async for event in run.read(after):
                    yield event
                return
            for event in await asyncio.to_thread(self._responses.events, response_id, after):
                after = event["sequence_number"]
                yield event
            if stored.status not in UNFINISHED:
                return
            await asyncio.sleep(_POLL_S)
            stored = await asyncio.to_thread(self._responses.get, owner, response_id)

    async def cancel(self, owner: str, response_id: str) -> Mapping[str, Any]:
        """End a response at once; one that has ended stays as it is. Raises NotFound."""
        await asyncio.to_thread(self._responses.get, owner, response_id)
        run = self._writer.runs.get(response_id)
        if run is None:
            return (await asyncio.to_thread(self._responses.cancel, owner, response_id)).body
        run.cancel()
        await run.done.wait()
        return run.snapshot()

    async def delete(self, owner: str, response_id: str) -> None:
        """Remove a response; one that is being written ends first. Raises NotFound."""
        await self.cancel(owner, response_id)
        await asyncio.to_thread(self._responses.delete, owner, response_id)

    async def input_items(self, owner: str, response_id: str, page: Page) -> Listing[Item]:
        """List what a response was asked with; raises NotFound."""
        items = list((await asyncio.to_thread(self._responses.get, owner, response_id)).input)
        if page.newest_first:
            items.reverse()
        ids = [item["id"] for item in items]
        if page.after is not None and page.after not in ids:
            raise BadRequest(
                f"'after' is '{page.after[:80]}', which is not an item of this input.", param="after"
            )
        rest = items[ids.index(page.after) + 1 :] if page.after else items
        return Listing(tuple(rest[: page.limit]), len(rest) > page.limit)

    async def end_in(self, owner: str, conversation_id: str) -> None:
        """End what is being written in a conversation; raises NotFound."""
        conversation = await asyncio.to_thread(self._conversations.get, owner, conversation_id)
        if conversation.running is not None:
            await self.cancel(owner, conversation.running)

    async def _begun(self, adding: asyncio.Future[Run]) -> Run:
        """Wait for the first piece; a caller who leaves meanwhile leaves the response behind."""
        try:
            run = await asyncio.shield(adding)
        except asyncio.CancelledError:
            adding.add_done_callback(self._left)
            raise
        try:
            async with asyncio.timeout(GRACE_S):
                await asyncio.shield(run.began)
        except TimeoutError:
            pass
        except ServiceError as error:
            await uninterrupted(self._withdraw(run))
            raise _about_input(error) from error
        except asyncio.CancelledError:
            self._writer.announce(run)
            raise
        run.announced = True
        return run

    async def _withdraw(self, run: Run) -> None:
        await asyncio.to_thread(self._responses.withdraw, run.id)
        run.close()

    def _left(self, adding: asyncio.Future[Run]) -> None:
        if not adding.cancelled() and adding.exception() is None:
            self._writer.announce(adding.result())

    async def _admitted(self, stored: StoredResponse, prepared: Prepared) -> Run:
        async with self._admitting:
            waiting = await asyncio.to_thread(self._responses.waiting, stored.owner)
            if waiting >= self._background_max:
                raise BackgroundFull(waiting, self._background_max)
            return await uninterrupted(self._writer.add(stored, prepared))

    async def _prepared(self, new: NewResponse, items: Sequence[Item], owner: str) -> Prepared:
        messages = turns(items)
        if new.instructions:
            messages = (Message("system", new.instructions), *messages)
        try:
            return await self._service.prepare(replace(new.ask, messages=messages), owner)
        except ServiceError as error:
            raise _about_input(error) from error

    async def _before(self, new: NewResponse, owner: str) -> list[Item]:
        """Return the items that stand before the input."""
        if new.conversation_id is not None:
            return list(await asyncio.to_thread(self._conversations.all_items, owner, new.conversation_id))
        if new.previous_response_id is None:
            return []
        chain = await asyncio.to_thread(self._responses.chain, owner, new.previous_response_id)
        if chain[-1].status in UNFINISHED:
            raise StillWriting(
                f"The response '{chain[-1].id}' has not ended. Wait until it has, or cancel it.",
                param="previous_response_id",
            )
        return [item for response in chain for item in (*response.input, *kept(response.body["output"]))]


def _seeded(new: NewResponse) -> NewResponse:
    """Give the answer a seed, so that one bound by a schema can be written again after a restart."""
    if new.ask.sampling.seed is not None:
        return new
    sampling = replace(new.ask.sampling, seed=random.getrandbits(31))
    return replace(new, ask=replace(new.ask, sampling=sampling))


def _body(new: NewResponse, prepared: Prepared, status: str) -> dict[str, Any]:
    return {
        "id": new_id("resp"),
        "object": "response",
        "created_at": int(time.time()),
        "status": status,
        "background": new.background,
        "completed_at": None,
        "conversation": {"id": new.conversation_id} if new.conversation_id else None,
        "error": None,
        "incomplete_details": None,
        "instructions": new.instructions,
        "model": prepared.model.id,
        "output": [],
        "previous_response_id": new.previous_response_id,
        "store": new.store,
        "usage": None,
        **new.fields,
        **seen(prepared),
    }


def _about_input(error: ServiceError) -> ServiceError:
    """Name the field as this API calls it."""
    if (error.param or "").partition(".")[0] == "messages":
        error.param = "input"
    return error
