"""A request being answered: what is left of it afterwards."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import Any

import pytest

from gateway.api import exchange
from gateway.api.exchange import Exchange

from .conftest import until


class Body:
    """Stands for what a request brings along."""


async def _never() -> dict[str, Any]:
    await asyncio.Event().wait()
    raise AssertionError


async def _sent(_: Any) -> None:
    pass


async def test_a_request_whose_client_was_watched_leaves_nothing_to_the_garbage_collector(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(exchange, "_WATCH_AFTER_S", 0)
    body = Body()
    left = weakref.ref(body)
    scope = {"method": "POST", "path": "/", "headers": [], "query_string": b"", "body": body}
    gc.disable()
    try:
        x = Exchange(scope, _never, _sent, 1)
        del scope, body
        x.watch()
        watchers = asyncio.all_tasks()
        await until(lambda: len(asyncio.all_tasks() - watchers) > 0)
        x.close()
        await asyncio.wait(asyncio.all_tasks() - watchers)
        del x
        assert left() is None
    finally:
        gc.enable()
