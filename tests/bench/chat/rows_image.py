"""Row of the shared processor: chat while a picture is being drawn, beside chat alone."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator

from tests.bench.chat.bench import Bench, OverHttp
from tests.bench.chat.prompts import Sampling, question
from tests.bench.chat.stream import EventSplitter
from tests.bench.processes import HttpServer
from tests.bench.report import Bar, Finding, median

AT_ONCE = (1, 4)
BESIDE_BAR = Bar(0.8)
STEPS_BAR = Bar(1, "at least", "steps")
PICTURE = {"prompt": "a large red circle on a blue background", "n": 4, "size": "256x256", "steps": 50}
ANSWERS = 3
"""Answers of the usual length that one measurement strings together: short ones say little beside a picture."""


class Drawing:
    """Draws pictures one after another and counts the steps that were done."""

    def __init__(self, bench: Bench, server: HttpServer):
        self._bench, self._server = bench, server
        self.steps = 0

    @contextlib.asynccontextmanager
    async def going_on(self) -> AsyncIterator[None]:
        """Draw while the context lasts; it begins when the first step is done."""
        drawing = asyncio.create_task(self._draw())
        try:
            while self.steps == 0:
                if drawing.done():
                    drawing.result()
                await asyncio.sleep(0.01)
            yield
        finally:
            drawing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await drawing

    async def _draw(self) -> None:
        client, server = self._bench.client, self._server
        headers = {**server.headers, "Prefer": "respond-async"}
        while True:
            url = f"{server.url}/v1/images/generations"
            async with client.post(url, json=PICTURE, headers=headers) as answer:
                answer.raise_for_status()
                job_id = (await answer.json())["id"]
            try:
                await self._follow(job_id)
            except asyncio.CancelledError:
                await client.delete(f"{server.url}/v1/jobs/{job_id}", headers=server.headers)
                raise

    async def _follow(self, job_id: str) -> None:
        server, splitter, last = self._server, EventSplitter(), 0
        async with self._bench.client.get(
            f"{server.url}/v1/jobs/{job_id}/events", headers=server.headers
        ) as events:
            async for piece in events.content.iter_any():
                for event in map(json.loads, splitter.feed(piece)):
                    if event["status"] == "failed":
                        raise RuntimeError(f"the picture failed: {event['error']}")
                    self.steps += max(0, event["step"] - last)
                    last = max(last, event["step"])


async def beside_a_picture(bench: Bench) -> list[Finding]:
    """Answer alone and beside a drawing, turn about."""
    chat = OverHttp(bench.client, await bench.chat())
    images = await bench.images()
    findings = []
    for conversations in AT_ONCE:
        alone, beside, steps = [], [], []
        for number in range(bench.options.rounds):
            alone.append(await _chat(bench, chat, conversations, number, "alone"))
            drawing = Drawing(bench, images)
            async with drawing.going_on():
                before = drawing.steps
                beside.append(await _chat(bench, chat, conversations, number, "beside"))
                steps.append(drawing.steps - before)
        row = f"{conversations} at once while a picture is drawn"
        findings += [
            Finding(row, median(beside), "tokens/s", "chat alone", median(alone), BESIDE_BAR),
            Finding(f"{row}: its steps meanwhile", min(steps), "steps", bar=STEPS_BAR),
        ]
    return findings


async def _chat(bench: Bench, chat: OverHttp, conversations: int, number: int, where: str) -> float:
    """Return the mean tokens a second of several answers to each conversation."""
    options = bench.options
    speeds = []
    for part in range(ANSWERS):
        asked = [
            question(options.prompt_tokens, where, conversations, number, part, index)
            for index in range(conversations)
        ]
        outcome = await chat.answer_all(asked, Sampling(0.0, options.answer_tokens))
        speeds.append(outcome.tokens_per_s)
    return len(speeds) / sum(1 / speed for speed in speeds)
