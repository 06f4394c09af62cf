"""Who asks all services and leaves stops asking them."""

from __future__ import annotations

import asyncio

import pytest

from gateway.engine.calls import gather


async def test_whoever_leaves_while_services_are_asked_ends_the_questions():
    asked, ended = asyncio.Event(), []

    async def ask(service: str) -> None:
        asked.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(service)

    asking = asyncio.create_task(gather(("chat", "rag"), ask, 600))
    await asked.wait()
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    for _ in range(5):
        await asyncio.sleep(0)
    assert sorted(ended) == ["chat", "rag"]
