"""Tells how busy the graphics card is. Asks NVIDIA's own program, which is where its driver is; knows no model."""

from __future__ import annotations

import asyncio
import shutil
import time
from contextlib import suppress

PROGRAM = "nvidia-smi"
_QUESTION = ("--query-gpu=utilization.gpu", "--format=csv,noheader,nounits")


class GraphicsCard:
    """The busiest card of this machine. One question at a time, and none that a caller waits long for."""

    def __init__(
        self, program: str = PROGRAM, *, fresh_s: float = 2.0, wait_s: float = 0.2, most_s: float = 5.0
    ):
        self._program = shutil.which(program)
        self._fresh_s, self._wait_s, self._most_s = fresh_s, wait_s, most_s
        self._percent: float | None = None
        self._asked_at = float("-inf")
        self._asking: asyncio.Task[None] | None = None

    async def usage(self) -> float | None:
        """Return percent, as last heard; None where there is no card, or none that answers."""
        if self._program is None:
            return None
        if self._asking is None and time.monotonic() - self._asked_at >= self._fresh_s:
            self._asking = asyncio.create_task(self._ask(self._program))
        if self._asking is not None:
            await asyncio.wait({self._asking}, timeout=self._wait_s)
        return self._percent

    async def stop(self) -> None:
        """End a question that is still open."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait({self._asking})

    async def _ask(self, program: str) -> None:
        try:
            self._percent = await self._answer(program)
        finally:
            self._asked_at, self._asking = time.monotonic(), None

    async def _answer(self, program: str) -> float | None:
        try:
            process = await asyncio.create_subprocess_exec(
                program, *_QUESTION, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
            )
        except OSError:
            return None
        try:
            said, _ = await asyncio.wait_for(process.communicate(), self._most_s)
        except TimeoutError:
            return None
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        cards = [line.strip() for line in said.decode(errors="replace").splitlines()]
        return max((float(card) for card in cards if card.isdigit()), default=None)
