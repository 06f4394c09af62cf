"""Loads what a service needs before it is ready, and says so; what failed is tried again until it is there."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable

from servicekit.aside import aside
from servicekit.errors import ServiceError
from servicekit.health import Readiness
from servicekit.models.memory import NoMemory

log = logging.getLogger(__name__)
FIRST_PAUSE_S, LONGEST_PAUSE_S = 5.0, 120.0
"""Seconds between two tries; each pause is twice the one before."""


async def warm(
    loads: Iterable[Callable[[], object]],
    readiness: Readiness,
    passing: tuple[type[ServiceError], ...] = (NoMemory,),
) -> None:
    """Do `loads` one after the other, each in a thread of its own, and set the readiness; cancel it to stop.

    A load that fails leaves the service not ready until it has succeeded: a disk that is full or a card whose memory
    somebody else holds may be so for a while only. Errors in `passing` do not count: what there is no memory for is
    loaded when somebody asks for it and there is room.
    """
    left, pause_s = list(loads), FIRST_PAUSE_S
    while True:
        failed: list[Callable[[], object]] = []
        reason = None
        for load in left:
            try:
                await aside(load)
            except passing:
                continue
            except Exception as error:
                failed.append(load)
                reason = _told(error)
        if not failed:
            readiness.set(status="ready")
            return
        readiness.set(status="not_ready", reason=reason)
        left = failed
        await asyncio.sleep(pause_s)
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S)


def _told(error: Exception) -> str:
    if isinstance(error, ServiceError):
        return error.message
    log.error("model could not be loaded", exc_info=error)
    return f"a model could not be loaded ({type(error).__name__}); the log says why"
