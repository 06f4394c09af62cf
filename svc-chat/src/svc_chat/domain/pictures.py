"""Pictures in a conversation with a model that cannot see: each is described, and its words take its place."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from servicekit.errors import BadRequest
from svc_chat.domain.conversation import told
from svc_chat.engine.base import Album, Describer, Description, Message

T = TypeVar("T")
MAX_PICTURES = 16
AT_ONCE = 4
"""Pictures of one conversation that are looked at side by side."""


def check_number(messages: Sequence[Message]) -> int:
    """Return how many pictures there are; raises BadRequest above MAX_PICTURES."""
    number = sum(len(message.images) for message in messages)
    if number > MAX_PICTURES:
        raise BadRequest(
            f"The conversation has {number} pictures; {MAX_PICTURES} at most are read. Send fewer.",
            param="messages",
        )
    return number


async def inlined(
    messages: Sequence[Message], album: Album, bearer: Mapping[str, str]
) -> tuple[Message, ...]:
    """Return the messages with the caller's own pictures in them as data URLs. Raises what the album raises."""
    own = {url: param for url, param in _places(messages).items() if album.has(url)}
    read = await _each(own, lambda url, param: album.inlined(url, bearer, param))
    return tuple(replace(m, images=tuple(read.get(url, url) for url in m.images)) for m in messages)


async def described(
    messages: Sequence[Message], describer: Describer, bearer: Mapping[str, str], album: Album | None = None
) -> tuple[tuple[Message, ...], tuple[Description, ...]]:
    """Return the messages without pictures, and what was seen on each, in their order.

    A picture that comes several times is looked at once. Raises what the describer and the album raise.
    """

    async def look(url: str, param: str) -> Description:
        if album is None or not album.has(url):
            return await describer.describe(url, bearer, param)
        picture = await album.inlined(url, bearer, param)
        return replace(await describer.describe(picture, bearer, param), url=url)

    seen = await _each(_places(messages), look)
    turns = [told(m, [seen[url].text for url in m.images]) if m.images else m for m in messages]
    return tuple(turns), tuple(seen.values())


def _places(messages: Sequence[Message]) -> dict[str, str]:
    """Return each picture's URL with the place where it comes first."""
    first: dict[str, str] = {}
    for index, message in enumerate(messages):
        for url in message.images:
            first.setdefault(url, f"messages.{index}.content")
    return first


async def _each(
    places: Mapping[str, str], look: Callable[[str, str], Coroutine[Any, Any, T]]
) -> dict[str, T]:
    """Look at the pictures, some at once; one that fails ends the others."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(url: str, param: str) -> T:
        async with gate:
            return await look(url, param)

    async with _all_or_none() as group:
        tasks = {url: group.create_task(one(url, param)) for url, param in places.items()}
    return {url: task.result() for url, task in tasks.items()}


class _all_or_none(asyncio.TaskGroup):
    """A TaskGroup that raises the first error itself, not a group of them."""

    async def __aexit__(self, *exc: object) -> None:  # type: ignore[override]
        try:
            await super().__aexit__(*exc)  # type: ignore[arg-type]
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None
