"""Hundreds of clients that leave, at every phase of an answer: no slot, no cell and no booking is lost."""

import asyncio
import random
from collections.abc import Iterator

import pytest

from svc_chat.engine.base import GenerationRequest, Sampling
from svc_chat.engine.llama_backend import LlamaBackend
from svc_chat.engine.loop import EngineLoop
from svc_chat.engine.scheduler import Limits
from svc_chat.settings import Settings

pytestmark = pytest.mark.model
ABORTS = 500
PHASES = ("before it starts", "while it waits", "in the prompt", "in the answer", "at the end")


@pytest.fixture
def loop() -> Iterator[EngineLoop]:
    path = Settings().builtin_model_path
    backend = LlamaBackend(path, context_tokens=1024, cache_bytes=1 << 24, threads=1)
    loop = EngineLoop(backend, Limits(running=4, waiting=600))
    yield loop
    loop.close()


def ask(words: int, limit: int) -> GenerationRequest:
    text = " ".join(random.Random(words).choices(["um", "círculo", "vermelho", "grande", "azul"], k=words))
    return GenerationRequest("m", prompt=text, sampling=Sampling(max_tokens=limit, temperature=0))


async def leave(loop: EngineLoop, phase: str, luck: random.Random) -> None:
    """Ask for an answer and go away in the middle of `phase`."""
    stream = loop.run(ask(luck.randint(50, 400) if phase == "in the prompt" else luck.randint(1, 20), 200))
    if phase in ("in the answer", "at the end"):
        left = 3 if phase == "in the answer" else 10_000
        async for _ in stream:
            left -= 1
            if left == 0:
                break
        await stream.aclose()
        return
    task = asyncio.ensure_future(anext(stream))
    for _ in range({"before it starts": 0, "while it waits": 3, "in the prompt": luck.randint(3, 30)}[phase]):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await stream.aclose()


async def test_five_hundred_departures_leave_nothing_behind(loop: EngineLoop) -> None:
    luck = random.Random(7)
    whole = "".join([d.text async for d in loop.run(ask(12, 40))])
    for _ in range(ABORTS // 25):
        company = [leave(loop, luck.choice(PHASES), luck) for _ in range(25)]
        await asyncio.gather(*company)
    async with asyncio.timeout(10):
        while sum(loop.queue().values()):  # noqa: ASYNC110 (polled with a deadline)
            await asyncio.sleep(0.005)
    assert list(loop.slots.active) == []
    loop.slots.clear()
    assert loop.slots.ledger.free == loop.backend.cells
    assert "".join([d.text async for d in loop.run(ask(12, 40))]) == whole
