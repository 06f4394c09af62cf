"""Pictures in a conversation with a model that cannot see: each is described, and its words take its place."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from servicekit.errors import BadRequest
from svc_chat.domain.conversation import told
from svc_chat.engine.base import Describer, Description, Message

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


async def described(
    messages: Sequence[Message], describer: Describer, bearer: Mapping[str, str]
) -> tuple[tuple[Message, ...], tuple[Description, ...]]:
    """Return the messages without pictures, and what was seen on each, in their order.

    A picture that comes several times is looked at once. Raises what the describer raises.
    """
    first: dict[str, str] = {}
    for index, message in enumerate(messages):
        for url in message.images:
            first.setdefault(url, f"messages.{index}.content")
    gate = asyncio.Semaphore(AT_ONCE)

    async def look(url: str, param: str) -> Description:
        async with gate:
            return await describer.describe(url, bearer, param)

    async with _all_or_none() as group:
        tasks = {url: group.create_task(look(url, param)) for url, param in first.items()}
    seen = {url: task.result() for url, task in tasks.items()}
    turns = [told(m, [seen[url].text for url in m.images]) if m.images else m for m in messages]
    return tuple(turns), tuple(seen.values())


class _all_or_none(asyncio.TaskGroup):
    """A TaskGroup that raises the first error itself, not a group of them."""

    async def __aexit__(self, *exc: object) -> None:  # type: ignore[override]
        try:
            await super().__aexit__(*exc)  # type: ignore[arg-type]
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None
