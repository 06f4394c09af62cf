"""From a request to the sequences that the loop runs: prompt, room, grammar, random numbers. Runs in any thread."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Coroutine
from typing import Any

from servicekit.errors import BadRequest
from svc_chat.engine.backend import Backend, Grammar
from svc_chat.engine.base import GenerationRequest
from svc_chat.engine.free_calls import call_grammar, free_calls, json_or_call
from svc_chat.engine.sampling import Chooser
from svc_chat.engine.sequence import Sequence, Sink
from svc_chat.engine.textstream import TextStream
from svc_chat.errors import ContextTooLong


def sequences_of(
    request: GenerationRequest,
    backend: Backend,
    sink: Sink,
    timeout_s: float,
    adapter: str | None,
    load_s: float,
) -> list[Sequence]:
    """Return one sequence for each answer that `request` wants.

    Raises:
        ContextTooLong: the prompt leaves no room to answer.
        BadRequest: the JSON schema cannot be followed, or the prompt is empty.
    """
    tokens = backend.prompt_tokens(request)
    if not tokens:
        raise BadRequest("The prompt is empty. Send some text.", param="prompt")
    room = min(request.sampling.max_tokens, backend.context_tokens - len(tokens))
    if room <= 0:
        raise ContextTooLong(len(tokens), backend.context_tokens)
    limit_s = min(request.timeout_s or timeout_s, timeout_s)
    return [
        Sequence(
            tokens=list(tokens),
            chooser=Chooser.of(request.sampling, tokens, index),
            text=TextStream(request.sampling.stop),
            sink=sink,
            room=room,
            deadline=time.monotonic() + limit_s,
            index=index,
            adapter=adapter,
            grammar=_grammar(backend, request),
            load_s=load_s,
        )
        for index in range(request.choices)
    ]


async def taken_in(taking: Coroutine[Any, Any, list[Sequence]]) -> list[Sequence]:
    """Wait for `sequences_of` in its thread, also when nobody wants them any more: it reads with the model.

    Who is cancelled, however often, leaves when the thread has ended; what it made is freed.
    """
    reading = asyncio.create_task(taking)
    try:
        return await asyncio.shield(reading)
    except asyncio.CancelledError:
        while not reading.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait({reading})
        if not reading.cancelled() and reading.exception() is None:
            forget(reading.result())
        raise


def forget(sequences: list[Sequence]) -> None:
    """Free what sequences hold beside their places."""
    for sequence in sequences:
        if sequence.grammar is not None:
            sequence.grammar.close()
            sequence.grammar = None


def _grammar(backend: Backend, request: GenerationRequest) -> Grammar | None:
    schema = json_or_call(request)
    if schema is None:
        return free_calls(backend, request)
    try:
        return call_grammar(backend, schema, request.repetition, request.call_form)
    except Exception as error:  # the converter raises whatever it trips over
        raise BadRequest(
            "This JSON schema cannot be followed. Use types, properties, enum, items and $defs.",
            param="response_format",
        ) from error
