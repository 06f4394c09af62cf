"""Starts the programs that are compared and ends them with everything they started. Knows no protocol but HTTP GET."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import aiohttp
import psutil

START_TIMEOUT_S = 400.0
STOP_TIMEOUT_S = 10.0


@dataclass(frozen=True)
class HttpServer:
    """A server that answers OpenAI's chat API."""

    name: str
    url: str
    model: str
    process: subprocess.Popen[bytes]
    token: str = ""

    @property
    def headers(self) -> dict[str, str]:
        """What every request carries."""
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}


class Processes(contextlib.ExitStack):
    """Everything that was started; leaving the context ends it, last come first gone."""

    def __init__(self, folder: Path):
        super().__init__()
        self.folder = folder
        self._started: list[int] = []

    def start(
        self, name: str, command: Sequence[str], env: Mapping[str, str], *, pipes: bool = False
    ) -> subprocess.Popen[bytes]:
        """Start `command` in a process group of its own; what it says goes to `<name>.log` in the folder.

        Not in a session of its own: Linux shares the processors out among sessions first, so that priorities
        would count for nothing between them, and under the runner all services are in one.
        """
        log: BinaryIO = self.enter_context((self.folder / f"{name}.log").open("wb"))
        pipe = subprocess.PIPE if pipes else None
        process = subprocess.Popen(
            command,
            env=dict(env),
            cwd=self.folder,
            stdin=pipe or subprocess.DEVNULL,
            stdout=pipe or log,
            stderr=log,
            process_group=0,
        )
        self.callback(end, process)
        self._started.append(process.pid)
        return process

    def cpu_s(self) -> float:
        """Return the processor seconds that this process and all that it started have used."""
        return cpu_s(os.getpid()) + sum(map(cpu_s, self._started))

    def log_tail(self, name: str, lines: int = 15) -> str:
        """Return the last lines that a process said."""
        said = (self.folder / f"{name}.log").read_text(encoding="utf-8", errors="replace")
        return "\n".join(said.splitlines()[-lines:])

    async def until_ready(self, name: str, process: subprocess.Popen[bytes], url: str) -> None:
        """Wait until `url` answers 200.

        Raises:
            RuntimeError: the process ended, or took too long.
        """
        deadline = time.monotonic() + START_TIMEOUT_S
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:
            while process.poll() is None and time.monotonic() < deadline:
                with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                    async with session.get(url) as answer:
                        if answer.status == 200:
                            return
                await asyncio.sleep(0.25)
        raise RuntimeError(f"{name} did not start. It said:\n{self.log_tail(name)}")


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process and its children: asked first, then not asked."""
    for asked in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, asked)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_TIMEOUT_S)
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()


def cpu_s(pid: int) -> float:
    """Return the processor seconds that a process has used; 0 when it is gone."""
    try:
        used = psutil.Process(pid).cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return used.user + used.system


class Watch:
    """How much of the machine other work took while something was measured."""

    def __init__(self, processes: Processes):
        self._processes = processes
        self._since = self._now()

    def others_share(self) -> float:
        """Return the part of all processors, 0 to 1, that programs of others used since it was made."""
        (began, busy, own), (ended, busy_now, own_now) = self._since, self._now()
        used = (busy_now - busy) - (own_now - own)
        return max(0.0, used / ((ended - began) * (os.cpu_count() or 1)))

    def _now(self) -> tuple[float, float, float]:
        times = psutil.cpu_times()
        busy = times.user + times.nice + times.system + times.irq + times.softirq
        return time.monotonic(), busy, self._processes.cpu_s()


def free_port() -> int:
    """Return a TCP port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
