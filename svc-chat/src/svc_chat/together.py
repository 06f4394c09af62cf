"""Several streams as one, written side by side. Knows nothing of what they hold."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import TypeVar, cast

T = TypeVar("T")
_WAITING_MAX = 64


async def together(streams: Sequence[AsyncIterator[T]], at_once: int) -> AsyncGenerator[T, None]:
    """Yield what the streams yield, as it comes; at most `at_once` of them run at a time.

    The first error ends all of them and is raised; closing this closes them too.
    """
    pieces: asyncio.Queue[tuple[T] | Exception | None] = asyncio.Queue(_WAITING_MAX)
    gate = asyncio.Semaphore(at_once)

    async def read(stream: AsyncIterator[T]) -> None:
        try:
            async with gate, aclosing(cast(AsyncGenerator[T, None], stream)) as closing:
                async for piece in closing:
                    await pieces.put((piece,))
        except Exception as error:
            await pieces.put(error)
        else:
            await pieces.put(None)

    tasks = [asyncio.create_task(read(stream)) for stream in streams]
    running = len(tasks)
    try:
        while running:
            piece = await pieces.get()
            if isinstance(piece, Exception):
                raise piece
            if piece is None:
                running -= 1
            else:
                yield piece[0]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
