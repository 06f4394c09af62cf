"""Who asks all services and leaves stops asking them."""

from __future__ import annotations

import asyncio
import gc

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


async def test_a_question_that_failed_before_whoever_asked_left_is_no_forgotten_error():
    told: list[dict] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    failed = asyncio.Event()

    async def ask(service: str) -> None:
        if service == "chat":
            failed.set()
            raise ValueError("broken")
        await asyncio.Event().wait()

    asking = asyncio.create_task(gather(("chat", "rag"), ask, 600))
    await failed.wait()
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    del asking
    gc.collect()
    await asyncio.sleep(0)
    assert told == []
