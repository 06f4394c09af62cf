"""Stops work for a caller who is gone: FastAPI itself only notices while it streams."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.requests import Request

from servicekit.errors import ServiceError

T = TypeVar("T")


class ClientLeft(ServiceError):
    """The caller closed the connection before the answer was ready."""

    status, code, type = 499, "client_left", "invalid_request_error"


async def unless_disconnected(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Run `work`, cancelling it as soon as the caller of `request` disconnects.

    The request's body must have been read. Raises:
        ClientLeft: the caller went away; nobody reads the answer.
    """
    task = asyncio.create_task(work)
    watcher = asyncio.create_task(_left(request))
    try:
        await asyncio.wait({task, watcher}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientLeft("The caller left before the answer was ready.")
        return task.result()
    finally:
        for pending in (task, watcher):
            pending.cancel()
        await asyncio.gather(task, watcher, return_exceptions=True)


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
