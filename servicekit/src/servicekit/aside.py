"""Blocking work that a service which stops does not wait for, such as loading a model. Knows nothing of the work."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


async def aside(work: Callable[[], T], name: str = "aside") -> T:
    """Do blocking work in a thread of its own and return what it gives.

    Whoever is cancelled while it waits leaves the work behind, and so does the end of the process: the threads of
    `asyncio.to_thread` are waited for, however long a load takes.
    """
    done: Future[T] = Future()
    threading.Thread(target=_do, args=(work, done), name=name, daemon=True).start()
    return await asyncio.wrap_future(done)


def _do(work: Callable[[], T], done: Future[T]) -> None:
    if not done.set_running_or_notify_cancel():
        return
    try:
        done.set_result(work())
    except BaseException as error:  # whoever waits is to learn of it
        done.set_exception(error)
