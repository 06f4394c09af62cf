"""Work that is not left halfway by whoever is cancelled while it waits for it. Knows nothing of the work."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def uninterrupted(work: Coroutine[Any, Any, T]) -> T:
    """Let `work` come to its end although whoever waits for it is cancelled meanwhile; that is raised after it.

    For calls and writes that happen anyway once they are begun, so that their outcome is known to who undoes them.
    Cancelled a second time it is waited for no more, and still goes on.
    """
    task = asyncio.create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        if not task.cancelled():
            task.exception()  # nobody is left to be told
        raise
