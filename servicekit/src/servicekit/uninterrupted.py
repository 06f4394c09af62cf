"""Work that is not left halfway by whoever is cancelled while it waits for it. Knows nothing of the work."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def uninterrupted(work: Coroutine[Any, Any, T]) -> T:
    """Let `work` come to its end although whoever waits for it is cancelled meanwhile; that is raised after it.

    For calls and writes that happen anyway once they are begun, so that their outcome is known to who undoes them.
    However often it is cancelled, it waits: what undoes the work must not overtake it.
    """
    task = asyncio.create_task(work)
    left: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            left = error
    if left is None:
        return task.result()
    if not task.cancelled():
        task.exception()  # nobody is left to be told
    raise left
