"""One execution as the service sees it: collects output within limits, and ends code that will not end."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import replace
from typing import Any, cast

from servicekit.uninterrupted import uninterrupted
from svc_code.engine import claims
from svc_code.engine.base import Chart, Execution, Limits, OnOutput, Stopped, Stream, Usage
from svc_code.engine.pipe import Pipe
from svc_code.engine.usage import Used
from svc_code.errors import SandboxLost

CHARTS_MAX = 20
INTERRUPT_GRACE_S = 3.0
"""Seconds after KeyboardInterrupt in which code may end by itself; then its processes are killed."""
RESTART_GRACE_S = 60.0
"""Seconds for a new kernel, on a busy machine; then the sandbox is given up."""


class Run:
    """Collects what one execution tells, and stops it when asked."""

    def __init__(self, pipe: Pipe, limits: Limits, on_output: OnOutput | None, started: Used):
        self._pipe, self._limits, self._on_output = pipe, limits, on_output
        self._text: dict[str, list[str]] = {"stdout": [], "stderr": []}
        self._left = {"stdout": limits.max_output_chars, "stderr": limits.max_output_chars}
        self._charts: list[Chart] = []
        self._cut = False
        self._began = time.monotonic()
        self.started, self.used, self.peak_mb = started, started, started.memory_mb
        self.restarted = False
        self.stop: asyncio.Future[Stopped] = asyncio.get_running_loop().create_future()

    def ask_to_stop(self, why: Stopped) -> None:
        """Have `finish` stop the code; the first reason counts."""
        if not self.stop.done():
            self.stop.set_result(why)

    def saw(self, used: Used) -> None:
        """Take a look at what the sandbox uses."""
        self.used = used
        self.peak_mb = max(self.peak_mb, used.memory_mb)
        if used.cpu_s - self.started.cpu_s > self._limits.cpu_s:
            self.ask_to_stop("cpu")

    async def finish(self, code: str, timeout_s: float) -> Execution:
        """Run `code` to its end, or stop it. Raises: SandboxLost."""
        answer = self._pipe.ask("execute", on_event=self._event, code=code)
        try:
            either: set[asyncio.Future[Any]] = {answer, self.stop}
            await asyncio.wait(either, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
            if answer.done():
                return self._ended(answer.result()[0], None)
            why: Stopped = self.stop.result() if self.stop.done() else "timeout"
            return await self._stopped(answer, why)
        except asyncio.CancelledError:
            # whoever leaves, and whose time is over then: the next code must not find this one running
            await self._stopped_for_nobody(answer)
            raise

    async def _stopped_for_nobody(self, answer: asyncio.Future[Any]) -> None:
        """Stop the code, however often that is cancelled. Raises: SandboxLost, which its sandbox must hear of."""
        lost: list[SandboxLost] = []

        async def stopped() -> None:
            try:
                await self._stopped(answer, "interrupted")
            except SandboxLost as error:
                lost.append(error)

        with contextlib.suppress(asyncio.CancelledError):
            await uninterrupted(stopped())
        if lost:
            raise lost[0]

    async def _stopped(self, answer: asyncio.Future[Any], why: Stopped) -> Execution:
        if why in ("timeout", "interrupted"):
            self._pipe.ask("interrupt")
            await asyncio.wait({answer}, timeout=INTERRUPT_GRACE_S)
        if not answer.done():
            self._pipe.ask("restart", why=why)
            await asyncio.wait({answer}, timeout=RESTART_GRACE_S)
        if not answer.done():
            raise SandboxLost("The code could not be stopped in any other way than by ending its sandbox.")
        return self._ended(answer.result()[0], why)

    def _event(self, message: dict[str, Any]) -> None:
        if message.get("event") == "output":
            stream, text = message.get("stream"), message.get("text")
            if stream in self._left and isinstance(text, str):
                self._output(cast(Stream, stream), claims.text(text, len(text)))
        elif message.get("event") == "chart" and len(self._charts) < CHARTS_MAX:
            chart = claims.chart(message)
            if chart is not None:
                self._charts = [kept for kept in self._charts if kept.file != chart.file] + [chart]

    def _output(self, stream: Stream, text: str) -> None:
        kept = text[: self._left[stream]]
        self._cut = self._cut or len(kept) < len(text)
        self._left[stream] -= len(kept)
        if kept:
            self._text[stream].append(kept)
            if self._on_output is not None:
                self._on_output(stream, kept)

    def _ended(self, told: dict[str, Any], why: Stopped | None) -> Execution:
        said = told.get("stopped")
        self.restarted = said is not None
        files = claims.files(told.get("files"), self._limits.max_files)
        names = {file.name for file in files}
        result = told.get("result")
        most = self._limits.max_output_chars
        done = Execution(
            stdout="".join(self._text["stdout"]),
            stderr="".join(self._text["stderr"]),
            result=claims.text(result, most) if isinstance(result, str) else None,
            error=claims.error(told.get("error")),
            files=files,
            charts=tuple(chart for chart in self._charts if chart.file in names),
            stopped=why or (said if said in ("died", "files") else None),
            restarted=self.restarted,
            truncated=self._cut or told.get("truncated") is True,
        )
        return replace(done, usage=self.usage())

    def usage(self) -> Usage:
        """Return what the execution took until the last look."""
        return Usage(
            wall_ms=(time.monotonic() - self._began) * 1000,
            cpu_ms=max(0.0, self.used.cpu_s - self.started.cpu_s) * 1000,
            memory_mb=self.peak_mb,
        )
